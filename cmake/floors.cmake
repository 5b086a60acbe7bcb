# A room is one folder of linker/src or inspector/src, compiled as an object library.  Its include path is a folder of links made for it
# alone, with itself and the rooms it may see: an include that goes upward or sideways does not compile.

function(room_folder variable name)
  set(${variable} ${CMAKE_SOURCE_DIR}/linker/src/${name} PARENT_SCOPE)
  if(IS_DIRECTORY ${CMAKE_SOURCE_DIR}/inspector/src/${name})
    set(${variable} ${CMAKE_SOURCE_DIR}/inspector/src/${name} PARENT_SCOPE)
  endif()
endfunction()

function(make_floor name visible)
  set(floor ${CMAKE_BINARY_DIR}/floors/${name})
  file(REMOVE_RECURSE ${floor})
  file(MAKE_DIRECTORY ${floor})
  foreach(room ${visible})
    room_folder(folder ${room})
    file(CREATE_LINK ${folder} ${floor}/${room} SYMBOLIC)
  endforeach()
endfunction()

function(add_room name visible)
  make_floor(${name} "${name};${visible}")
  room_folder(folder ${name})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
  add_library(${name} OBJECT ${sources})
  target_include_directories(${name} PRIVATE ${CMAKE_BINARY_DIR}/floors/${name} ${CMAKE_SOURCE_DIR}/linker/include)
endfunction()

function(target_link_rooms target rooms)
  foreach(room ${rooms})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${room}>)
  endforeach()
endfunction()

# For programs and unit tests that look inside: the include path of the named rooms.
function(target_see_rooms target rooms)
  make_floor(${target} "${rooms}")
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/floors/${target})
endfunction()
