# The addon built by node-gyp, for machines without CMake. Sources and flags are kept equal to CMakeLists.txt;
# scripts/check-sources.mjs compares them.
{
  'variables': {
    'lo_version': '<!(node -p "require(\'./package.json\').version")',
    'lo_node_addon_api': '<!(node -p "require(\'path\').resolve(require(\'node-addon-api\').include_dir)")',
    'conditions': [
      ['OS=="win"', {
        'lo_flags': ['/O2', '/fp:precise', '/EHsc', '/utf-8'],
        'lo_avx2_flags': ['/arch:AVX2'],
        'lo_avx512_flags': ['/arch:AVX512'],
      }, {
        'lo_flags': ['-O3', '-Wall', '-Wextra', '-ffp-contract=off', '-fno-math-errno', '-fno-trapping-math'],
        'lo_avx2_flags': ['-mavx2', '-mfma', '-mf16c'],
        'lo_avx512_flags': [
          '-mavx512f', '-mavx512dq', '-mavx512bw', '-mavx512vl', '-mfma', '-mf16c',
          '-Wno-maybe-uninitialized', '-Wno-uninitialized',
        ],
      }],
    ],
  },

  'target_defaults': {
    # node-gyp's own defaults differ from CMake's: no exceptions, no run-time types, a GNU dialect, frame pointers.
    'cflags!': ['-fno-exceptions', '-fno-omit-frame-pointer'],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['-std=c++17', '-fexceptions', '-fvisibility=hidden', '-pthread', '<@(lo_flags)'],
    'configurations': {
      'Release': { 'cflags!': ['-fno-omit-frame-pointer'], 'defines': ['NDEBUG'] },
    },
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'CLANG_CXX_LIBRARY': 'libc++',
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_ENABLE_CPP_RTTI': 'YES',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
      'OTHER_CPLUSPLUSFLAGS': ['<@(lo_flags)'],
    },
    'msvs_settings': {
      'VCCLCompilerTool': {
        'ExceptionHandling': 1,
        'RuntimeTypeInfo': 'true',
        'AdditionalOptions': ['/std:c++17', '<@(lo_flags)'],
      },
    },
  },

  'targets': [
    {
      'target_name': 'lo_native',
      'type': 'static_library',
      'sources': [
        'native/dispatch.cpp',
        'native/kernels_baseline.cpp',
        'native/kernels_neon.cpp',
        'native/kernels_reference.cpp',
        'native/lanes.cpp',
        'native/levels.cpp',
        'native/optimizer.cpp',
        'native/tensor_storage.cpp',
        'native/thread_pool.cpp',
      ],
    },
    # gyp knows flags per target, not per file: each instruction set that needs flags of its own is a library of its own.
    {
      'target_name': 'lo_avx2',
      'type': 'static_library',
      'sources': ['native/kernels_avx2.cpp'],
      'conditions': [
        ['target_arch=="x64"', {
          'cflags_cc': ['<@(lo_avx2_flags)'],
          'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['<@(lo_avx2_flags)'] },
          'msvs_settings': { 'VCCLCompilerTool': { 'AdditionalOptions': ['<@(lo_avx2_flags)'] } },
        }],
      ],
    },
    {
      'target_name': 'lo_avx512',
      'type': 'static_library',
      'sources': ['native/kernels_avx512.cpp'],
      'conditions': [
        ['target_arch=="x64"', {
          'cflags_cc': ['<@(lo_avx512_flags)'],
          'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['<@(lo_avx512_flags)'] },
          'msvs_settings': { 'VCCLCompilerTool': { 'AdditionalOptions': ['<@(lo_avx512_flags)'] } },
        }],
      ],
    },
    {
      'target_name': 'learned_optimizer',
      'dependencies': ['lo_native', 'lo_avx2', 'lo_avx512'],
      'sources': [
        'bindings/addon.cpp',
        'bindings/architecture.cpp',
        'bindings/arguments.cpp',
        'bindings/borrowed_gradients.cpp',
        'bindings/borrowed_tensors.cpp',
        'bindings/cuda_arguments.cpp',
        'bindings/cuda_calls.cpp',
        'bindings/cuda_errors.cpp',
        'bindings/cuda_library.cpp',
        'bindings/cuda_session.cpp',
        'bindings/lane_objectives.cpp',
        'bindings/levels.cpp',
        'bindings/native_lanes.cpp',
        'bindings/native_optimizer.cpp',
        'bindings/session.cpp',
        'bindings/step_request.cpp',
        'bindings/tensorflow_library.cpp',
      ],
      'include_dirs': ['<(lo_node_addon_api)'],
      'defines': [
        'LO_VERSION="<(lo_version)"',
        'NAPI_VERSION=8',
        'NAPI_CPP_EXCEPTIONS',
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      'conditions': [
        ['OS!="win" and OS!="mac"', { 'libraries': ['-pthread', '-ldl'], 'ldflags': ['-static-libstdc++', '-static-libgcc'] }],
      ],
    },
  ],
}
