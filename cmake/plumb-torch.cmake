# Finds LibTorch and defines the target `torch`; fmt::fmt must be found before.
#
# A LibTorch built for CUDA asks, in its own TorchConfig.cmake, for a complete CUDA toolkit of a matching version with a
# compiler. plumb compiles no CUDA code: it needs the libraries, which such a LibTorch (pip's torch, for instance) brings.
# For those the target is therefore made here, and no toolkit is needed.

if(TARGET torch)
  return()
endif()

find_file(PLUMB_TORCH_CONFIG TorchConfig.cmake
  HINTS ${Torch_DIR} ENV Torch_DIR ${Torch_ROOT} ENV Torch_ROOT ${CMAKE_PREFIX_PATH} ENV CMAKE_PREFIX_PATH
    ${PLUMB_TORCH_FOLDER}
  PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE} /usr/lib /usr /usr/local
  PATH_SUFFIXES Torch cmake/Torch share/cmake/Torch lib/cmake/Torch
  NO_CACHE)
if(NOT PLUMB_TORCH_CONFIG)
  message(FATAL_ERROR "LibTorch was not found. Install the package libtorch-dev, or set CMAKE_PREFIX_PATH to what\n"
    "  python3 -c 'import torch; print(torch.utils.cmake_prefix_path)'\nprints, or to an unpacked libtorch archive.")
endif()
cmake_path(GET PLUMB_TORCH_CONFIG PARENT_PATH plumb_torch_folder)

file(STRINGS ${PLUMB_TORCH_CONFIG} plumb_torch_old_abi REGEX "_GLIBCXX_USE_CXX11_ABI=0")
if(plumb_torch_old_abi)
  message(FATAL_ERROR "${plumb_torch_folder}: this LibTorch was built with the C++ ABI from before C++11 and cannot be "
    "linked with the system's libraries; take one with the new ABI (pip's torch from 2.7 on, or libtorch-cxx11-abi)")
endif()

cmake_path(SET plumb_torch_prefix NORMALIZE "${plumb_torch_folder}/../../..")
if(EXISTS ${plumb_torch_prefix}/lib/libtorch_cuda.so)
  file(STRINGS ${plumb_torch_folder}/TorchConfigVersion.cmake plumb_torch_version REGEX "set\\(PACKAGE_VERSION ")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" Torch_VERSION "${plumb_torch_version}")
  message(STATUS "Found Torch: ${plumb_torch_prefix} (version ${Torch_VERSION}, with CUDA)")
  add_library(torch INTERFACE IMPORTED)
  set_target_properties(torch PROPERTIES INTERFACE_INCLUDE_DIRECTORIES
    "${plumb_torch_prefix}/include;${plumb_torch_prefix}/include/torch/csrc/api/include")
  target_link_options(torch INTERFACE "LINKER:-rpath,${plumb_torch_prefix}/lib")
  # Nothing of ours calls libtorch_cuda by name; dropped by the linker, it would leave programs without CUDA.
  # libstdc++ first: pip's libraries export a std::filesystem of their own, built for an older system, and the loader takes
# the first definition it finds; the one in libtorch.so ends in a call to address 0.
target_link_libraries(torch INTERFACE -Wl,--push-state,--no-as-needed -lstdc++ ${plumb_torch_prefix}/lib/libtorch.so
    ${plumb_torch_prefix}/lib/libtorch_cpu.so ${plumb_torch_prefix}/lib/libtorch_cuda.so
    ${plumb_torch_prefix}/lib/libc10_cuda.so ${plumb_torch_prefix}/lib/libc10.so -Wl,--pop-state)
else()
  set(Torch_DIR ${plumb_torch_folder} CACHE PATH "The folder of TorchConfig.cmake" FORCE)
  find_package(Torch REQUIRED)
endif()

# A LibTorch from elsewhere brings headers of another fmt than the one that gets linked, in front of the system's.
# A folder with a link to the right ones, searched before, keeps them apart.
if(EXISTS ${plumb_torch_prefix}/include/fmt)
  get_target_property(plumb_fmt_headers fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
  list(GET plumb_fmt_headers 0 plumb_fmt_headers)
  set(plumb_fmt_link ${CMAKE_BINARY_DIR}/fmt-before-torch)
  file(MAKE_DIRECTORY ${plumb_fmt_link})
  file(CREATE_LINK ${plumb_fmt_headers}/fmt ${plumb_fmt_link}/fmt SYMBOLIC)
  get_target_property(plumb_torch_headers torch INTERFACE_INCLUDE_DIRECTORIES)
  set_target_properties(torch PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${plumb_fmt_link};${plumb_torch_headers}")
endif()
