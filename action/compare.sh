#!/usr/bin/env bash
# Compares a project, as it is checked out, with the commit that a pull request or a push began at.
#
# What is asked for comes in variables. Whatever they hold is handed on as it is: no name of a
# branch, a file or a person is ever read as a command.
#
#   NNBENCH_MODEL              networks, one a line
#   NNBENCH_DATA               what they are trained on
#   NNBENCH_BACKEND, NNBENCH_PHASE, NNBENCH_BUDGET       as the options of nnbench compare
#   NNBENCH_OPTIONS            further options of it, one a line
#   NNBENCH_REQUIRE_DECISION   "true": too little data for a decision is exit status 3
#   NNBENCH_FAIL               "false": end with 0 whatever is found, but for a mistake
#   NNBENCH_AGAINST            the commit to compare with; without it, of the next two
#   NNBENCH_TARGET             the commit that a pull request is to be merged into
#   NNBENCH_BEFORE             the commit before a push
#   NNBENCH_NUMBER             the pull request's number, which is kept for who comments
#   NNBENCH_FOLDER             the project's folder (.)
#   NNBENCH_OUT                where the report, comment.md and junit.xml go
#   NNBENCH_PYTHON             the Python that has nnbench (python)
#
# The exit status is that of nnbench compare. On GitHub the comment is also the job's summary.
set -euo pipefail

python=${NNBENCH_PYTHON:-python}
out=${NNBENCH_OUT:-${RUNNER_TEMP:-${TMPDIR:-/tmp}}/nnbench-report}
mkdir -p -- "$out"
out=$(cd -- "$out" && pwd)
cd -- "${NNBENCH_FOLDER:-.}"

commit() { git rev-parse --verify --quiet --end-of-options "$1^{commit}" 2>/dev/null; }

find_base() {
  local target=${NNBENCH_TARGET:-} before=${NNBENCH_BEFORE:-} known
  if [ -n "${NNBENCH_AGAINST:-}" ]; then
    base=$NNBENCH_AGAINST
  elif commit 'HEAD^2' >/dev/null && [ "$(commit HEAD)" = "${GITHUB_SHA:-}" ] && [ -n "$target" ]; then
    # GitHub checks out a pull request merged into its target.
    base='HEAD^1'
  elif known=$(commit "$target"); then
    base=$(git merge-base "$known" HEAD) || base=$known
  elif [[ $target =~ ^[0-9a-f]{40,64}$ ]]; then
    base=$target # It is not in this clone, which nnbench says.
  else
    base=$(commit "$before") || base='HEAD^1'
  fi
}

arguments=()
add_lines() { # an option, and its values, one a line; without an option lines as they are
  local line
  while IFS= read -r line || [ -n "$line" ]; do
    line=${line%$'\r'}
    if [[ $line =~ [^[:space:]] ]]; then
      line=${line#"${line%%[![:space:]]*}"}
      arguments+=("${1:+$1=}$line")
    fi
  done <<<"$2"
}

base=
find_base
arguments+=("--against=$base" --unlike "--results=$out/results")
arguments+=("--markdown=$out/comment.md" "--junit=$out/junit.xml")
add_lines --model "${NNBENCH_MODEL:-}"
for option in data backend phase budget; do
  name=NNBENCH_$(tr '[:lower:]' '[:upper:]' <<<"$option")
  [ -z "${!name:-}" ] || arguments+=("--$option=${!name}")
done
[ "${NNBENCH_REQUIRE_DECISION:-}" != true ] || arguments+=(--require-decision)
add_lines '' "${NNBENCH_OPTIONS:-}"

# What a project prints is no command for the runner.
on_github=${GITHUB_ACTIONS:-}
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
[ -z "$on_github" ] || printf '::stop-commands::%s\n' "$token"
printf 'nnbench: compared with %s %s\n' "$base" "$(commit "$base")"
rm -f -- "$out/comment.md" "$out/junit.xml"
set +e
{ "$python" -m nnbench compare "${arguments[@]}" 2>&1 >&3 | tee -- "$out/log.txt" >&2; } 3>&1
status=${PIPESTATUS[0]}
set -e
[ -z "$on_github" ] || printf '\n::%s::\n' "$token"

if [ ! -s "$out/comment.md" ]; then
  # Indented, so that nothing in it is anything but text.
  printf '**Training time was not compared.**\n\n' >"$out/comment.md"
  tail -n 20 "$out/log.txt" | sed 's/^/    /' >>"$out/comment.md"
fi
[[ ! ${NNBENCH_NUMBER:-} =~ ^[0-9]{1,9}$ ]] || printf '%s\n' "$NNBENCH_NUMBER" >"$out/number.txt"

if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  head -c 900000 "$out/comment.md" >>"$GITHUB_STEP_SUMMARY"
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
  printf '%s\n' "status=$status" "report=$out" "comment=$out/comment.md" >>"$GITHUB_OUTPUT"
fi
if [ -n "$on_github" ]; then
  case $status in 0) level=notice ;; 3) level=warning ;; *) level=error ;; esac
  if [[ $status =~ ^[013]$ ]]; then
    # The comment's first line, without its markup.
    verdict=$(head -n 1 "$out/comment.md" |
      sed 's/^[#* ]*//; s/<[^>]*>//g; s/\*\*//g; s/\\\([[:punct:]]\)/\1/g' |
      sed 's/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g')
  else
    verdict=$(tail -n 1 "$out/log.txt")
  fi
  verdict=$(tr -d '\r' <<<"$verdict" | sed 's/%/%25/g')
  printf '::%s title=Training time::%s\n' "$level" "$verdict"
fi
if [ "${NNBENCH_FAIL:-}" = false ] && { [ "$status" = 1 ] || [ "$status" = 3 ]; }; then
  exit 0
fi
exit "$status"
