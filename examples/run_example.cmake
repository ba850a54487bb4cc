# Runs a program and compares its output with the `// prints: <line>` comments of its source, one for
# each line of output. A program without such comments only has to succeed.
#
#     cmake -D PROGRAM=<executable> -D SOURCE=<its .cpp> [-D WITH=<command to run it with>]
#           -P run_example.cmake

cmake_minimum_required(VERSION 3.24)

execute_process(COMMAND ${WITH} "${PROGRAM}" OUTPUT_VARIABLE printed ERROR_VARIABLE errors
                RESULT_VARIABLE result)
if(NOT result STREQUAL "0")
    message(FATAL_ERROR "${PROGRAM} ended with ${result}\n${printed}${errors}")
endif()

# Taken from the text as a whole: a list of lines would stumble over `;` and brackets in them.
file(READ "${SOURCE}" rest)
set(expected "")
set(found FALSE)
while(rest MATCHES "// prints:([^\n]*)\n")
    set(line "${CMAKE_MATCH_1}")
    string(FIND "${rest}" "// prints:${line}\n" begin)
    string(LENGTH "// prints:${line}\n" length)
    math(EXPR begin "${begin} + ${length}")
    string(SUBSTRING "${rest}" ${begin} -1 rest)
    string(REGEX REPLACE "^ " "" line "${line}")
    string(APPEND expected "${line}\n")
    set(found TRUE)
endwhile()

if(found AND NOT printed STREQUAL expected)
    message(FATAL_ERROR "${SOURCE} promises\n${expected}\nbut the program printed\n${printed}")
endif()
