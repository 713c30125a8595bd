#!/usr/bin/env bash
# Installs a project and nnbench into one environment. What is asked for comes in variables:
#
#   NNBENCH_SOURCE    a folder with nnbench's sources
#   NNBENCH_FOLDER    the project's folder (.)
#   NNBENCH_BACKEND   tensorflow, jax or torch, where the project does not ask for one itself
#   NNBENCH_INSTALL   a command that installs the project
#   NNBENCH_PYTHON    the Python to install for (python)
#
# Where Python is the system's own, which takes no packages, an environment is made beside it. The
# Python that has it all is the output `python`.
set -euo pipefail

mistake() {
  printf 'nnbench: %s\n' "$1" >&2
  exit 2
}

python=${NNBENCH_PYTHON:-python}
command -v "$python" >/dev/null || python=python3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  mistake "$python is older than 3.11: set up a newer one (python-version: '3.12')"

is_managed='
import pathlib, sys, sysconfig
marked = pathlib.Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()
sys.exit(not (marked and sys.prefix == sys.base_prefix))
'
asked_by_setup_cfg='
import configparser
settings = configparser.ConfigParser(interpolation=None)
settings.read("setup.cfg", encoding="utf-8")
print(settings.get("options", "install_requires", fallback=""))
'
if "$python" -c "$is_managed"; then
  environment=${RUNNER_TEMP:-${TMPDIR:-/tmp}}/nnbench-environment
  "$python" -m venv --system-site-packages "$environment"
  python=$environment/bin/python
fi
python=$("$python" -c 'import sys; print(sys.executable)')

# Elsewhere than in the project: a folder of it may be called so, too.
has() { (cd / && "$python" -c "import $1; $1.$2") >/dev/null 2>&1; }
install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }

cd -- "${NNBENCH_FOLDER:-.}"
if [ -n "${NNBENCH_INSTALL:-}" ]; then
  # Words of the workflow's own file.
  PATH=$(dirname -- "$python"):$PATH bash -euo pipefail -c "$NNBENCH_INSTALL"
elif [ -f requirements.txt ]; then
  install -r requirements.txt
elif [ -f setup.py ] || grep -Eqs '^\[(project|tool\.poetry)\]' pyproject.toml ||
  { [ -f pyproject.toml ] && grep -Eqs '^\[(metadata|options)\]' setup.cfg; }; then
  install -e .
elif grep -qs '^\[options\]' setup.cfg; then
  # Alone it is nothing that pip installs: what it asks for is.
  asked=$(mktemp -d)/asked.txt
  "$python" -I -c "$asked_by_setup_cfg" >"$asked"
  install -r "$asked"
fi

extra=
case ${NNBENCH_BACKEND:-} in
  '') ;;
  tensorflow | jax | torch) has "$NNBENCH_BACKEND" __version__ || extra="[$NNBENCH_BACKEND]" ;;
  *) mistake "backend is none of tensorflow, jax and torch" ;;
esac
if [ -n "$extra" ] || ! has nnbench PROTOCOL; then
  install "${NNBENCH_SOURCE:?names no folder}$extra"
fi

if [ -n "${GITHUB_OUTPUT:-}" ]; then
  printf 'python=%s\n' "$python" >>"$GITHUB_OUTPUT"
fi
"$python" -m nnbench --version
