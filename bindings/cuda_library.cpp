#include "cuda_library.h"

#include <map>
#include <memory>
#include <mutex>

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace lo {

namespace {

#if defined(_WIN32)

using Handle = HMODULE;

Handle openLibrary(const std::string& path, std::string& problem) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
  std::wstring wide(static_cast<std::size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, &wide[0], length);
  const Handle handle = LoadLibraryExW(wide.c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH);
  if (handle == nullptr) problem = path + ": does not load (Windows error " + std::to_string(GetLastError()) + ")";
  return handle;
}
void* symbolOf(Handle handle, const char* name) { return reinterpret_cast<void*>(GetProcAddress(handle, name)); }
void closeLibrary(Handle handle) { FreeLibrary(handle); }

#else

using Handle = void*;

Handle openLibrary(const std::string& path, std::string& problem) {
  const Handle handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return handle;
  // The loader's text begins with the path where it is about this file.
  const char* const text = dlerror();
  const std::string why = text == nullptr ? "does not load" : text;
  problem = why.compare(0, path.size(), path) == 0 ? why : path + ": " + why;
  return nullptr;
}
void* symbolOf(Handle handle, const char* name) { return dlsym(handle, name); }
void closeLibrary(Handle handle) { dlclose(handle); }

#endif

// What keeps an open library from being used; empty when all functions were found.
std::string bind(Handle handle, CudaLibrary& library) {
  const auto abi = reinterpret_cast<decltype(&lo_cuda_abi)>(symbolOf(handle, "lo_cuda_abi"));
  if (abi == nullptr) return "is not the CUDA library of learned-optimizer (it has no function lo_cuda_abi)";
  if (abi() != LO_CUDA_ABI) {
    return "has interface " + std::to_string(abi()) + ", this version of learned-optimizer needs " + std::to_string(LO_CUDA_ABI) +
           "; install learned-optimizer-cuda in the version of learned-optimizer, or build it again";
  }
#define LO_CUDA_BIND(name)                                                                             \
  library.name = reinterpret_cast<decltype(&lo_cuda_##name)>(symbolOf(handle, "lo_cuda_" #name));     \
  if (library.name == nullptr) return "has interface " + std::to_string(LO_CUDA_ABI) + ", but no function lo_cuda_" #name;
  LO_CUDA_FUNCTIONS(LO_CUDA_BIND)
#undef LO_CUDA_BIND
  return "";
}

}  // namespace

const CudaLibrary* loadCudaLibrary(const std::string& path, std::string& problem) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<CudaLibrary>> loaded;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto known = loaded.find(path);
  if (known != loaded.end()) return known->second.get();
  const Handle handle = openLibrary(path, problem);
  if (handle == nullptr) return nullptr;
  auto library = std::make_unique<CudaLibrary>();
  const std::string missing = bind(handle, *library);
  if (!missing.empty()) {
    closeLibrary(handle);
    problem = path + ": " + missing;
    return nullptr;
  }
  return (loaded[path] = std::move(library)).get();
}

void checkCuda(const CudaLibrary& library, lo_cuda_status status) {
  if (status != LO_CUDA_OK) throw CudaFailure(status, library.last_error());
}

}  // namespace lo
