# Read by the other scripts: their common options, and the choice of LibTorch.
#
#   --torch system    the distribution's libtorch-dev
#   --torch python    the one inside the Python package torch, asked of $PYTHON (default: python3)
#   --torch pip       pip's newest, CPU only, fetched into build-libtorch (see scripts/fetch-libtorch)
#   --torch FOLDER    an unpacked libtorch archive, or any folder for CMAKE_PREFIX_PATH
#   --preset NAME     a preset of CMakePresets.json (default: $PLUMB_PRESET, else release)
#   --no-packages     install nothing
#
# Without --torch: what CMAKE_PREFIX_PATH or Torch_DIR in the environment name; else the distribution's; else, where the
# distribution has none, Python's; else, unless nothing may be installed, pip's. Every LibTorch that is asked for and every
# preset has its own build folder.
# shellcheck shell=bash

caller=$PWD
script=$(realpath "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

preset=${PLUMB_PRESET:-release} torch='' packages=yes rest=()
build_folder='' torch_asked=no torch_arguments=()

fail() {
  echo "$(basename "$script"): $*" >&2
  exit 1
}

# Prints the comment at the head of the running script.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$script"; }

# Takes the common options out of the arguments and leaves the others in `rest`.
read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --torch | --preset) [ $# -gt 1 ] || fail "$1 needs a value" ;;&
      --torch) torch=$2 && shift ;;
      --preset) preset=$2 && shift ;;
      --no-packages) packages=no ;;
      -h | --help) usage && exit 0 ;;
      *) rest+=("$1") ;;
    esac
    shift
  done
  grep -q "\"name\": \"$preset\"" CMakePresets.json || fail "no preset '$preset' in CMakePresets.json"
}

# Prints where Python's package torch lies, without the seconds of importing it.
python_torch() {
  "${PYTHON:-python3}" -c '
import importlib.util
print(importlib.util.find_spec("torch").submodule_search_locations[0])' 2>/dev/null
}

# Prints the TorchConfig.cmake of pip's newest, which is fetched when it is not there.
pip_torch() {
  [ "$packages" = no ] || scripts/install-packages pip >&2 || return
  torch_config "$(scripts/fetch-libtorch)"
}

# Prints the TorchConfig.cmake below one of the given folders.
torch_config() {
  local folder below
  for folder in "$@"; do
    for below in . Torch share/cmake/Torch lib/cmake/Torch; do
      if [ -f "$folder/$below/TorchConfig.cmake" ]; then
        realpath "$folder/$below/TorchConfig.cmake"
        return
      fi
    done
  done
  return 1
}

system_has_torch() {
  if [ "$packages" = yes ]; then
    scripts/install-packages --offered libtorch-dev
  else
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' libtorch-dev 2>/dev/null)" = installed ]
  fi
}

# Sets torch to "system" or to the folder of a TorchConfig.cmake, and torch_asked to whether it was named.
choose_torch() {
  local config='' folder name
  name=$(basename "$script")
  torch_asked=yes
  case $torch in
    '')
      local folders=()
      IFS=: read -ra folders <<<"${Torch_DIR:-}:${CMAKE_PREFIX_PATH:-}"
      for folder in ${folders[@]+"${folders[@]}"}; do
        if [ -n "$folder" ] && config=$(torch_config "$folder"); then break; fi
      done
      if [ -z "$config" ]; then
        torch_asked=no
        if ! system_has_torch; then
          if folder=$(python_torch) && config=$(torch_config "$folder"); then
            echo "$name: this system has no libtorch-dev; taking the LibTorch of ${PYTHON:-python3}"
          elif [ "$packages" = yes ] || [ -d build-libtorch ]; then
            echo "$name: this system has no libtorch-dev; taking pip's"
            config=$(pip_torch)
          fi
        fi
      fi
      ;;
    system) ;;
    pip) config=$(pip_torch) ;;
    python)
      folder=$(python_torch) || fail "--torch python: ${PYTHON:-python3} has no package torch"
      config=$(torch_config "$folder") || fail "--torch python: no TorchConfig.cmake below $folder"
      ;;
    *) config=$(cd "$caller" && torch_config "$torch") || fail "--torch $torch: no TorchConfig.cmake there" ;;
  esac
  if [ -n "$config" ]; then torch=$(dirname "$config"); else torch=system; fi
}

# Sets build_folder and torch_arguments.
choose_build() {
  build_folder=build
  [ "$preset" = release ] || build_folder=build-$preset
  case $torch in
    system | /usr/lib/*) torch_arguments=() ;;
    *)
      local version
      version=$(sed -n 's/^set(PACKAGE_VERSION "\([0-9.]*\)").*/\1/p' "$torch/TorchConfigVersion.cmake" | head -n 1)
      # Two LibTorches of the same version can differ, hence the checksum of where it lies.
      [ "$torch_asked" = no ] || build_folder+=-torch-$version-$(cksum <<<"$torch" | cut -c 1-4)
      torch_arguments=("-DTorch_DIR=$torch")
      ;;
  esac
}

# Installs packages, configures and builds the given targets.
build() {
  [ "$packages" = no ] || scripts/install-packages build run
  choose_torch
  [ "$packages" = no ] || [ "$torch" != system ] || scripts/install-packages torch
  choose_build
  local jobs=${JOBS:-} gigabytes
  if [ -z "$jobs" ]; then
    # A compiler with LibTorch's headers takes up to two gigabytes.
    gigabytes=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
    jobs=$((gigabytes / 2 < $(nproc) ? gigabytes / 2 : $(nproc)))
    [ "$jobs" -ge 1 ] || jobs=1
  fi
  mkdir -p "$build_folder"
  cmake --preset "$preset" -B "$build_folder" -DPLUMB_TESTS=ON ${torch_arguments[@]+"${torch_arguments[@]}"} \
    >"$build_folder/configure.log" 2>&1 || {
    cat "$build_folder/configure.log" >&2
    fail "CMake could not configure $build_folder"
  }
  cmake --build "$build_folder" --parallel "$jobs" --target "$@"
}
