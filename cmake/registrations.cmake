# Writes the tables of built-in components from the PLUMB_REGISTER lines in the sources (see core/registry.hpp).
# A table made at configure time registers the same components in a static and in a shared library, built or installed.

# Kind of component | header that declares the kind | function that returns its registry
set(PLUMB_KINDS
  "Datasets|plumb/data/dataset.hpp|datasets"
  "InitialWeights|plumb/experiment/initial_weights.hpp|initial_weights"
  "Losses|plumb/objective/loss.hpp|losses"
  "Models|plumb/models/network.hpp|models"
  "Optimizers|plumb/training/optimizer.hpp|optimizers"
  "Probes|plumb/probes/probe.hpp|probes"
  "Randomizations|plumb/data/randomization.hpp|randomizations"
  "Schedules|plumb/training/schedule.hpp|schedules"
  "Systems|plumb/lecture/system.hpp|systems"
  "Theorems|plumb/theorems/theorem.hpp|theorems")

function(plumb_write_registrations output)
  set(declarations "")
  set(includes "")
  foreach(kind IN LISTS PLUMB_KINDS)
    string(REPLACE "|" ";" parts "${kind}")
    list(GET parts 0 name)
    set(calls_${name} "")
  endforeach()
  foreach(source IN LISTS ARGN)
    file(READ ${source} text)
    # The arguments may stand on the next line.
    string(REGEX MATCHALL "\nPLUMB_REGISTER\\([ \n]*[A-Za-z]+,[ \n]*[a-z0-9_]+," lines "\n${text}")
    foreach(line IN LISTS lines)
      string(REGEX MATCH "\\([ \n]*([A-Za-z]+),[ \n]*([a-z0-9_]+)," matched "${line}")
      set(kind "${CMAKE_MATCH_1}")
      set(component "${CMAKE_MATCH_2}")
      cmake_path(GET source STEM stem)
      if(NOT stem STREQUAL component)
        message(FATAL_ERROR "${source} registers '${component}': a component's file is named after it")
      endif()
      if(NOT DEFINED calls_${kind})
        message(FATAL_ERROR "${source} registers '${component}' as '${kind}', which is no kind of component")
      endif()
      string(APPEND declarations "void register_${kind}_${component}(${kind}& registry);\n")
      string(APPEND calls_${kind} "    register_${kind}_${component}(built_in);\n")
    endforeach()
  endforeach()
  set(definitions "")
  foreach(kind IN LISTS PLUMB_KINDS)
    string(REPLACE "|" ";" parts "${kind}")
    list(GET parts 0 name)
    list(GET parts 1 header)
    list(GET parts 2 function)
    string(APPEND includes "#include \"${header}\"\n")
    string(APPEND definitions
      "\n${name}& ${function}() {\n  static ${name} registry = [] {\n    ${name} built_in;\n"
      "${calls_${name}}    return built_in;\n  }();\n  return registry;\n}\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} CONTENT
    "// Written by cmake/registrations.cmake.\n${includes}\nnamespace plumb {\n\n${declarations}${definitions}\n}  // namespace plumb\n")
endfunction()
