"""builds.py SOURCE: other builds of the tool for anywhere.py, in SOURCE/build/other/COMPILER-LEVEL: the extremes of both compilers.

Nothing is built twice: what is up to date stays."""
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

BUILDS = [("gcc", "g++", "O2"), ("clang", "clang++", "O0")]


def run(*words):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{words}: status {done.returncode}\n{done.stdout}")


def main():
    source = pathlib.Path(sys.argv[1])
    for compiler, cxx, level in BUILDS:
        if not shutil.which(compiler):
            continue
        build = source / "build" / "other" / f"{compiler}-{level}"
        build.mkdir(parents=True, exist_ok=True)
        with open(build / "lock", "w") as lock:  # of two presets whose tests run at the same time
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (build / "build.ninja").exists():
                run("cmake", "-G", "Ninja", "-S", source, "-B", build, "-DBUILD_TESTING=OFF", "-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_C_COMPILER={compiler}",
                    f"-DCMAKE_CXX_COMPILER={cxx}", f"-DCMAKE_C_FLAGS_DEBUG=-{level}" + (" -DNDEBUG" if level != "O0" else ""))
            run("cmake", "--build", build, "--target", "jitscope-tool", "--", f"-j{len(os.sched_getaffinity(0))}")


if __name__ == "__main__":
    main()
