"""What the machine has: compilers, the device, compute-sanitizer, and a Python with PyTorch."""

import os
import re
import shutil
import subprocess
from pathlib import Path


def output_of(command, seconds=60):
    """What a command prints, or None if it fails."""
    try:
        done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def first_existing(*candidates):
    return next((str(c) for c in candidates if c and (shutil.which(str(c)) or Path(str(c)).is_file())), None)


def find_nvcc():
    homes = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda", *sorted(Path("/usr/local").glob("cuda-*"), reverse=True)]
    return first_existing(os.environ.get("NVCC"), os.environ.get("CUDACXX"), "nvcc", *(Path(h) / "bin/nvcc" for h in homes if h))


def find_sanitizer(nvcc):
    home = Path(shutil.which(nvcc) or nvcc).resolve().parents[1]
    return first_existing("compute-sanitizer", home / "bin/compute-sanitizer", home / "compute-sanitizer/compute-sanitizer", "/usr/local/cuda/bin/compute-sanitizer")


def find_device(python):
    """Description and compute capability ('90') of the first device, or None and why."""
    text = output_of(["nvidia-smi", "-i", "0", "--format=csv,noheader", "--query-gpu=name,driver_version,compute_cap,memory.total,clocks.max.sm,clocks.max.memory,clocks.sm,power.limit"])
    if text:
        fields = [f.strip() for f in text.strip().splitlines()[0].split(",")]
        names = ["name", "driver", "computeCapability", "memory", "maxClock", "maxMemoryClock", "clock", "powerLimit"]
        device = dict(zip(names, fields))
        if re.fullmatch(r"\d+\.\d+", device.get("computeCapability", "")):
            return device, device["computeCapability"].replace(".", "")
    # Without nvidia-smi PyTorch may know.
    text = output_of([python, "-c", "import torch; print(torch.cuda.get_device_name(0)); print('%d.%d' % torch.cuda.get_device_capability(0))"])
    if text:
        name, capability = text.strip().splitlines()[-2:]
        return {"name": name, "computeCapability": capability}, capability.replace(".", "")
    return None, "neither nvidia-smi nor PyTorch finds a device"


def architecture_for(nvcc, capability):
    """CMake's name of what to compile for: the device's own code, or PTX where this nvcc does not know the device."""
    known = [int(a) for a in re.findall(r"compute_(\d+)\s", output_of([nvcc, "--list-gpu-arch"]) or "")]
    if not known or int(capability) in known:
        return f"{capability}-real"
    older = [a for a in known if a <= int(capability)]
    return f"{max(older)}-virtual" if older else f"{capability}-real"


def versions(nvcc, python):
    """One line about each tool."""
    def line(command, pattern):
        found = re.search(pattern, output_of(command) or "")
        return found.group(0) if found else "not found"

    return {
        "nvcc": line([nvcc, "--version"], r"release [\d.]+, V[\d.]+") if nvcc else "not found",
        "cmake": line(["cmake", "--version"], r"[\d.]+"),
        "compiler": line([os.environ.get("CXX", "c++"), "--version"], r".*"),
        "python": line([python, "--version"], r"[\d.]+"),
        "torch": line([python, "-c", "import torch; print(torch.__version__)"], r"\S+"),
    }
