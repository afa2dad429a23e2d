# The tests and the benchmark on a device (scripts/cuda-check): LO_CUDA_CHECK=ON. The core of the repository is built beside the
# library, or taken from LO_NATIVE_LIBRARY.
set(LO_NATIVE_LIBRARY "" CACHE FILEPATH "liblo_native.a of a build of the repository, instead of another one")
find_package(CUDAToolkit REQUIRED)
set(LO_ROOT ${CMAKE_CURRENT_SOURCE_DIR}/../..)
if(LO_NATIVE_LIBRARY)
  find_package(Threads REQUIRED)
  add_library(lo_native STATIC IMPORTED)
  set_target_properties(lo_native PROPERTIES IMPORTED_LOCATION ${LO_NATIVE_LIBRARY})
  target_link_libraries(lo_native INTERFACE Threads::Threads)
else()
  add_subdirectory(${LO_ROOT} core)
endif()
# No contraction that the source does not ask for, as in the core.
set(LO_CHECK_FLAGS -O2 -Wall -Wextra -ffp-contract=off)
set(LO_TEST_FOLDER ${LO_ROOT}/native/test)

# What the programs share.
add_library(lo_cuda_support STATIC
  ${LO_TEST_FOLDER}/support.cpp
  ${LO_TEST_FOLDER}/no_portable_kernels.cpp
  ${LO_TEST_FOLDER}/model_files.cpp
)
target_compile_options(lo_cuda_support PRIVATE ${LO_CHECK_FLAGS})
target_link_libraries(lo_cuda_support PUBLIC lo_native)
target_include_directories(lo_cuda_support PUBLIC ${LO_ROOT})
get_filename_component(LO_ROOT_PATH ${LO_ROOT} ABSOLUTE)
target_compile_definitions(lo_cuda_support PUBLIC LO_SOURCE_FOLDER="${LO_ROOT_PATH}")

file(GLOB LO_CUDA_CASES CONFIGURE_DEPENDS ${LO_TEST_FOLDER}/cuda_*cases.cpp)
add_executable(cuda_device_tests
  ${LO_TEST_FOLDER}/main.cpp
  ${LO_CUDA_CASES}
  ${LO_TEST_FOLDER}/cuda_course_test.cpp
  ${LO_TEST_FOLDER}/cuda_device_test.cpp
  ${LO_TEST_FOLDER}/cuda_drift_test.cpp
  ${LO_TEST_FOLDER}/cuda_golden_test.cpp
  ${LO_TEST_FOLDER}/cuda_random_test.cpp
)
add_executable(cuda_lost_device ${LO_TEST_FOLDER}/cuda_lost_device.cpp)
foreach(program cuda_device_tests cuda_lost_device)
  target_compile_options(${program} PRIVATE ${LO_CHECK_FLAGS})
  target_link_libraries(${program} PRIVATE lo_cuda_support lo_cuda CUDA::cudart_static)
endforeach()

# bench/cuda
add_executable(lo_cuda_bench ${LO_ROOT}/bench/cuda/main.cpp ${LO_ROOT}/bench/cuda/cases.cpp ${LO_ROOT}/bench/cuda/run.cpp ${LO_ROOT}/bench/cuda/device.cu)
set_target_properties(lo_cuda_bench PROPERTIES CUDA_ARCHITECTURES "${LO_CUDA_ARCHITECTURES}" CUDA_RUNTIME_LIBRARY Static)
target_compile_options(lo_cuda_bench PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${LO_CHECK_FLAGS}>)
target_link_libraries(lo_cuda_bench PRIVATE lo_cuda_support lo_cuda)
add_executable(dump_steps ${LO_ROOT}/bench/cuda/dump_steps.cpp)
target_compile_options(dump_steps PRIVATE ${LO_CHECK_FLAGS})
target_link_libraries(dump_steps PRIVATE lo_cuda_support)
