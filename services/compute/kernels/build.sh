#!/usr/bin/env bash
# Builds kernels.wasm beside this file. With --check builds to a temporary file and says whether the committed one is
# the same, byte for byte. Needs clang and lld of version 14: another version makes other bytes.
set -euo pipefail
cd "$(dirname "$0")"

clang="${CLANG:-clang}"
command -v "$clang" >/dev/null || { echo "build.sh: $clang is not here; install the Debian packages clang and lld" >&2; exit 2; }

build() {
  # No contraction: a fused multiply-add would round otherwise than the targets that lack it.
  "$clang" --target=wasm32 -std=gnu11 -O3 -msimd128 -mbulk-memory -ffp-contract=off -fno-math-errno \
    -ffreestanding -fno-builtin -Wall -Wextra -Werror ${KERNEL_FLAGS:-} \
    -nostdlib -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=65536 \
    -o "$1" ./*.c
}

if [[ "${1:-}" == --check ]]; then
  fresh="$(mktemp)"
  trap 'rm -f "$fresh"' EXIT
  build "$fresh"
  cmp "$fresh" kernels.wasm || { echo "build.sh: kernels.wasm is stale; run npm run build:kernels and commit it" >&2; exit 1; }
  echo "kernels.wasm is fresh"
else
  build kernels.wasm
  chmod 644 kernels.wasm
fi
