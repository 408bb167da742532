# Tells which sources reach LibTorch's headers: they profit from the precompiled header, the others compile faster without.
# Followed are the includes of plumb's own headers, so nobody keeps a list.

# Sets `result` to TRUE when `file`, or a plumb header it includes (below `root`), includes torch/, ATen/ or c10/.
function(plumb_uses_torch file root result)
  cmake_path(ABSOLUTE_PATH file NORMALIZE OUTPUT_VARIABLE path)
  string(MD5 key "${path}")
  get_property(known GLOBAL PROPERTY plumb_uses_torch_${key} SET)
  if(NOT known)
    # An include cycle ends here; the first visitor overwrites the answer.
    set_property(GLOBAL PROPERTY plumb_uses_torch_${key} FALSE)
    file(STRINGS ${path} includes REGEX "^ *# *include")
    set(answer FALSE)
    foreach(include IN LISTS includes)
      if(include MATCHES "[<\"](torch|ATen|c10)/")
        set(answer TRUE)
      elseif(include MATCHES "\"(plumb/[^\"]+)\"" AND EXISTS ${root}/${CMAKE_MATCH_1})
        plumb_uses_torch(${root}/${CMAKE_MATCH_1} ${root} answer)
      endif()
      if(answer)
        break()
      endif()
    endforeach()
    set_property(GLOBAL PROPERTY plumb_uses_torch_${key} ${answer})
  endif()
  get_property(answer GLOBAL PROPERTY plumb_uses_torch_${key})
  set(${result} ${answer} PARENT_SCOPE)
endfunction()
