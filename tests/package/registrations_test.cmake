# Runs cmake/registrations.cmake on a scratch folder: cmake -DREGISTRATIONS=FILE -DSCRATCH=FOLDER -P registrations_test.cmake
cmake_minimum_required(VERSION 3.25)
include(${REGISTRATIONS})
file(REMOVE_RECURSE ${SCRATCH})

# Called again by itself, below: the table for the one source given.
if(SOURCE)
  plumb_write_registrations(${SCRATCH}/registrations.cpp ${SOURCE})
  return()
endif()

function(table_for component file result output)
  file(WRITE ${SCRATCH}-sources/${file} "${component}\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -DREGISTRATIONS=${REGISTRATIONS} -DSCRATCH=${SCRATCH}
      -DSOURCE=${SCRATCH}-sources/${file} -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    RESULT_VARIABLE code ERROR_VARIABLE errors)
  string(REGEX REPLACE "[ \n]+" " " errors "${errors}")
  set(${result} ${code} PARENT_SCOPE)
  set(${output} "${errors}" PARENT_SCOPE)
endfunction()

table_for("PLUMB_REGISTER(Models, my_net, MyNetOptions, make_my_net, \"mine\")" my_net.cpp code errors)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "a new architecture was refused: ${errors}")
endif()
file(READ ${SCRATCH}/registrations.cpp table)
foreach(line "void register_Models_my_net(Models& registry);" "    register_Models_my_net(built_in);")
  string(FIND "${table}" "${line}\n" found)
  if(found EQUAL -1)
    message(FATAL_ERROR "the table lacks '${line}':\n${table}")
  endif()
endforeach()

function(expect_refusal component file message)
  table_for("${component}" ${file} code errors)
  string(FIND "${errors}" "${message}" found)
  if(code EQUAL 0 OR found EQUAL -1)
    message(FATAL_ERROR "expected the refusal '${message}', got: ${errors}")
  endif()
endfunction()

expect_refusal("PLUMB_REGISTER(Models, my_net, MyNetOptions, make_my_net, \"mine\")" other.cpp
  "other.cpp registers 'my_net': a component's file is named after it")
expect_refusal("PLUMB_REGISTER(Nets, my_net, MyNetOptions, make_my_net, \"mine\")" my_net.cpp
  "my_net.cpp registers 'my_net' as 'Nets', which is no kind of component")
