#!/bin/sh
# The Python packages of the lock file in /opt/venv, without those for tests. Runs in the stage `python` of the Dockerfile, in /app.
#
#   TORCH=cu130   the wheels of torch that PyPI has for Linux on arm64 and amd64: built for CUDA 13.0, and they bring its libraries
#   TORCH=cpu     those of PyTorch's own index, which uv knows by this name: gigabytes smaller
set -eu

case "${TORCH:-}" in
  cu130) wanted=13.0 backend= ;;
  cpu) wanted=None backend=--torch-backend=cpu ;;
  *)
    echo "TORCH is cu130 or cpu, not '${TORCH:-}'" >&2
    exit 2
    ;;
esac

# uv only builds the image; it stays in this stage.
python3 -m venv /opt/uv
/opt/uv/bin/pip install --quiet --disable-pip-version-check --constraint python/requirements.lock uv

python3 -m venv --without-pip /opt/venv
# Compiled here, because a read-only root keeps no bytecode: every start would compile torch again.
# shellcheck disable=SC2086 # no backend is no argument
/opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python --link-mode copy --compile-bytecode $backend \
  --constraint python/requirements.lock --requirement python/pyproject.toml

got=$(/opt/venv/bin/python -c 'import torch; print(torch.version.cuda)')
if [ "$got" != "$wanted" ]; then
  echo "this torch is built for CUDA $got, and TORCH=$TORCH needs $wanted" >&2
  exit 1
fi
