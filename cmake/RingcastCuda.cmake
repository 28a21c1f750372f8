# The CUDA half: rc_kernels (CUDA C++) and ringcast-calib (C). Built when nvcc is there; skipped aloud
# when not. NCCL is used when its header is found; without it the `net` suite says so.
if(NOT RC_CUDA)
  rc_skipped("CUDA: SKIPPED (RC_CUDA=OFF): ringcast-calib and the kernels are not built")
  return()
endif()
find_program(RC_NVCC nvcc HINTS /usr/local/cuda/bin)
if(NOT RC_NVCC)
  rc_skipped("CUDA: SKIPPED (no nvcc): ringcast-calib and the kernels are not built")
  return()
endif()
set(CMAKE_CUDA_COMPILER ${RC_NVCC})
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_ARCHITECTURES OFF)
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

# Compute capabilities that code is made for: A100 (80), L40S (89), Hopper (90), B200 and B300 (100), as far as this
# nvcc knows them, and PTX of the oldest, which a driver compiles for any GPU in between and after. Also PTX of 8.9, so
# that GPUs without code of their own get the kernels that multiply e4m3. What needs wgmma is for 9.0a alone.
execute_process(COMMAND ${RC_NVCC} --list-gpu-code OUTPUT_VARIABLE known OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REPLACE "\n" ";" known "${known}")
set(RC_GPU_CODE "")
set(RC_GPU_CODE_NAMES "")
foreach(arch 80 89 90 100)
  if(sm_${arch} IN_LIST known)
    list(APPEND RC_GPU_CODE -gencode=arch=compute_${arch},code=sm_${arch})
    list(APPEND RC_GPU_CODE_NAMES sm_${arch})
  else()
    rc_skipped("CUDA: sm_${arch} SKIPPED: this nvcc does not know it; such a GPU compiles the oldest PTX when it starts")
  endif()
endforeach()
set(RC_GPU_PTX -gencode=arch=compute_80,code=compute_80)
set(RC_GPU_PTX_FP8 -gencode=arch=compute_89,code=compute_89)
set(RC_GPU_CODE_WGMMA -gencode=arch=compute_90a,code=sm_90a)

file(GLOB kernel_cu CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
file(GLOB kernel_c CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.c)
if(kernel_cu)
  add_library(rc_kernels STATIC ${kernel_cu} ${kernel_c})
  target_include_directories(rc_kernels PUBLIC ${PROJECT_SOURCE_DIR})
  target_compile_options(rc_kernels PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:-O3 -lineinfo --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra -Xptxas=-v>)
  foreach(file ${kernel_cu})
    get_filename_component(name ${file} NAME_WE)
    if(name MATCHES "^(attention|grouped|mla)$")
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${RC_GPU_CODE_WGMMA}")
    elseif(name STREQUAL decode)
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${RC_GPU_CODE};${RC_GPU_PTX};${RC_GPU_PTX_FP8}")
    else()
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${RC_GPU_CODE};${RC_GPU_PTX}")
    endif()
  endforeach()
  target_link_libraries(rc_kernels PUBLIC CUDA::cudart_static m)
  target_link_libraries(rc_kernels PRIVATE rc_options) # its flags are for C only
  # A C75xx message of ptxas fails the build.
  set_target_properties(rc_kernels PROPERTIES
    CUDA_COMPILER_LAUNCHER "sh;${PROJECT_SOURCE_DIR}/kernels/nvcc_guard.sh")
endif()

file(GLOB calib_c CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/calib/*.c ${PROJECT_SOURCE_DIR}/calib/suites/*.c
  ${PROJECT_SOURCE_DIR}/calib/ring/*.c ${PROJECT_SOURCE_DIR}/calib/serve/*.c)
file(GLOB calib_cu CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/calib/*.cu)
if(calib_c AND TARGET rc_kernels)
  # Kernels that only measuring needs.
  add_library(rc_calib_cuda STATIC ${calib_cu})
  target_include_directories(rc_calib_cuda PUBLIC ${PROJECT_SOURCE_DIR})
  target_compile_options(rc_calib_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:${RC_GPU_CODE} ${RC_GPU_PTX} -O3 -lineinfo -Xcompiler=-Wall,-Wextra>)
  target_link_libraries(rc_calib_cuda PUBLIC CUDA::cudart_static)
  find_path(RC_NCCL_INCLUDE nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  add_executable(ringcast-calib ${calib_c})
  target_include_directories(ringcast-calib SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
  target_link_libraries(ringcast-calib PRIVATE rc_kernels rc_calib_cuda rc_serve rc_timeline rc_base rc_options PkgConfig::SQLITE PkgConfig::GSL
    CUDA::cublasLt CUDA::cudart_static ${CMAKE_DL_LIBS})
  if(MPI_C_FOUND)
    target_compile_definitions(ringcast-calib PRIVATE RC_HAVE_MPI=1)
    target_link_libraries(ringcast-calib PRIVATE MPI::MPI_C)
  endif()
  if(RC_NCCL_INCLUDE) # the library itself is loaded at run time
    target_compile_definitions(ringcast-calib PRIVATE RC_HAVE_NCCL=1)
  else()
    rc_skipped("NCCL: not found: `ringcast-calib run --suite net` will say so and stop")
  endif()
endif()
