# Finds LibTorch and defines the target `torch`; fmt::fmt must be found before.
#
# A LibTorch built for CUDA asks, in its own TorchConfig.cmake, for a complete CUDA toolkit of a matching version with a
# compiler. plumb compiles no CUDA code: it needs the libraries, which such a LibTorch (pip's torch, for instance) brings.
# For those the target is therefore made here, and no toolkit is needed. Where the libraries of CUDA are missing (pip's
# torch without what it depends on), the CPU's half is linked alone.

function(plumb_find_torch)
  find_file(config TorchConfig.cmake
    HINTS ${Torch_DIR} ENV Torch_DIR ${Torch_ROOT} ENV Torch_ROOT ${CMAKE_PREFIX_PATH} ENV CMAKE_PREFIX_PATH
      ${PLUMB_TORCH_FOLDER}
    PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE} /usr/lib /usr /usr/local
    PATH_SUFFIXES Torch cmake/Torch share/cmake/Torch lib/cmake/Torch
    NO_CACHE)
  if(NOT config)
    message(FATAL_ERROR "LibTorch was not found. Install the package libtorch-dev, or set CMAKE_PREFIX_PATH to what\n"
      "  python3 -c 'import torch; print(torch.utils.cmake_prefix_path)'\nprints, or to an unpacked libtorch archive.")
  endif()
  cmake_path(GET config PARENT_PATH folder)
  # An installed plumb takes the LibTorch that it was built with.
  set(plumb_torch_folder ${folder} PARENT_SCOPE)

  file(STRINGS ${config} old_abi REGEX "_GLIBCXX_USE_CXX11_ABI=0")
  if(old_abi)
    message(FATAL_ERROR "${folder}: this LibTorch was built with the C++ ABI from before C++11 and cannot be linked with "
      "the system's libraries; take one with the new ABI (pip's torch from 2.7 on, or libtorch-cxx11-abi)")
  endif()

  get_filename_component(prefix ${folder}/../../.. ABSOLUTE)
  if(EXISTS ${prefix}/lib/libtorch_cuda.so)
    plumb_torch_with_cuda(${prefix} ${folder})
  else()
    set(Torch_DIR ${folder} CACHE PATH "The folder of TorchConfig.cmake" FORCE)
    find_package(Torch REQUIRED)
  endif()
endfunction()

function(plumb_torch_with_cuda prefix folder)
  file(STRINGS ${folder}/TorchConfigVersion.cmake version REGEX "set\\(PACKAGE_VERSION ")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" version "${version}")
  execute_process(COMMAND ldd ${prefix}/lib/libtorch_cuda.so OUTPUT_VARIABLE needed ERROR_QUIET)
  string(REGEX MATCHALL "[^ \t\n]+ => not found" missing "${needed}")
  # libstdc++ first: pip's libraries export a std::filesystem of their own, built for an older system, and the loader
  # takes the first definition it finds; the one in libtorch.so ends in a call to address 0.
  set(libraries -lstdc++)
  if(missing)
    # libtorch.so needs libtorch_cuda.so and holds nothing else.
    set(names torch_cpu c10)
    list(GET missing 0 first)
    string(REPLACE " => not found" "" first "${first}")
    set(what "CPU only: its CUDA part needs ${first}, which is not there")
  else()
    set(names torch torch_cpu torch_cuda c10_cuda c10)
    set(what "with CUDA")
  endif()
  foreach(name IN LISTS names)
    list(APPEND libraries ${prefix}/lib/lib${name}.so)
  endforeach()
  message(STATUS "Found Torch: ${prefix} (version ${version}, ${what})")
  add_library(torch INTERFACE IMPORTED)
  if(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)
    set_target_properties(torch PROPERTIES IMPORTED_GLOBAL TRUE)
  endif()
  set_target_properties(torch PROPERTIES INTERFACE_INCLUDE_DIRECTORIES
    "${prefix}/include;${prefix}/include/torch/csrc/api/include")
  target_link_options(torch INTERFACE "LINKER:-rpath,${prefix}/lib")
  # Nothing of ours calls libtorch_cuda by name; dropped by the linker, it would leave programs without CUDA.
  target_link_libraries(torch INTERFACE -Wl,--push-state,--no-as-needed ${libraries} -Wl,--pop-state)
endfunction()

# A LibTorch from elsewhere brings headers of another fmt than the one that gets linked, in front of the system's.
function(plumb_fmt_before_torch)
  get_target_property(torch_headers torch INTERFACE_INCLUDE_DIRECTORIES)
  set(foreign FALSE)
  foreach(folder IN LISTS torch_headers)
    if(folder MATCHES "/fmt-before-torch$")
      return()
    elseif(EXISTS ${folder}/fmt AND NOT folder STREQUAL /usr/include)
      set(foreign TRUE)
    endif()
  endforeach()
  if(NOT foreign)
    return()
  endif()
  get_target_property(fmt_headers fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
  list(GET fmt_headers 0 first)
  if(first MATCHES "\\$<")  # a fmt that is built along, whose folder is known later
    set(before "$<TARGET_PROPERTY:fmt::fmt,INTERFACE_INCLUDE_DIRECTORIES>")
  else()
    # A folder with a link to the right ones, because the compiler would search the system's last, named or not.
    set(before ${CMAKE_BINARY_DIR}/fmt-before-torch)
    file(MAKE_DIRECTORY ${before})
    file(CREATE_LINK ${first}/fmt ${before}/fmt SYMBOLIC)
  endif()
  set_target_properties(torch PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${before};${torch_headers}")
endfunction()

if(TARGET torch)  # found by the project around plumb
  set(plumb_torch_folder ${Torch_DIR})
else()
  plumb_find_torch()
endif()
plumb_fmt_before_torch()
