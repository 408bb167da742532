# What plumb links, found the same way by its own build and by an installed plumb (see plumb-config.cmake.in).
include(CMakeFindDependencyMacro)

find_dependency(fmt)
include(${CMAKE_CURRENT_LIST_DIR}/plumb-torch.cmake)
if(PLUMB_SHARED)
  return()
endif()
find_dependency(yaml-cpp)
find_dependency(CLI11)
find_dependency(nlohmann_json)
find_dependency(CURL)
find_dependency(LibArchive)
find_dependency(OpenSSL COMPONENTS Crypto)
find_dependency(ZLIB)

# yaml-cpp names its target yaml-cpp before 0.8 and yaml-cpp::yaml-cpp after.
if(NOT TARGET yaml-cpp::yaml-cpp)
  add_library(yaml-cpp::yaml-cpp INTERFACE IMPORTED)
  target_link_libraries(yaml-cpp::yaml-cpp INTERFACE yaml-cpp)
endif()
