#!/bin/bash
# layers.sh - who may include whom.  Run from the repository root; prints every forbidden include and exits 1 on any.
#
# A folder of src/ may include itself and the folders listed after it.  An entry with a slash is a single header.
# cmd may include everything, and nobody may include cmd.
set -u

declare -A may=(
    [base]=""
    [kernels]="base"
    [tensor]="base kernels"
    [dist]="base tensor"
    [ops]="base kernels tensor dist"
    [weights]="base tensor"
    [model]="base kernels tensor ops weights dist data/batch.h"
    [text]="base"
    [table]="base"
    [image]="base table"
    [data]="base text table image"
    [reward]="base"
    [infer]="base kernels tensor ops weights model text image data"
    [train]="base kernels tensor ops weights model text image data infer reward dist"
    [synth]="base tensor ops weights model text table image data infer reward"
    [eval]="base tensor ops weights model text table image data infer reward"
    [serve]="base tensor ops weights model text image data infer"
    [merge]="base tensor weights"
    [phantom]="base image reward"
    [api]="base tensor ops weights model text image data infer train osler.h"
)
# A training method sees log-probabilities and nothing else.
method_may="base data/batch.h"

allowed() { # allowed HEADER FOLDER LIST...: true where the header lies in FOLDER or is covered by the list
    local header=$1 folder=$2 entry
    shift 2
    [[ $header == "$folder"/* ]] && return 0
    for entry in "$@"; do
        [[ $header == "$entry" || ($entry != */* && $entry != *.h && $header == "$entry"/*) ]] && return 0
    done
    return 1
}

bad=0 no_row=
complain() {
    echo "$1: $2"
    bad=1
}

while IFS=: read -r file line text; do
    folder=${file#src/}
    folder=${folder%%/*}
    header=${text#*\"}
    header=${header%%\"*}
    case $header in
    */*_impl.h | */*_tmpl.c)
        [[ $header == "$folder"/* ]] || complain "$file:$line" "$header is private to its folder" ;;
    */*.h | osler.h) ;;
    *) complain "$file:$line" "write #include \"folder/$header\"" ;;
    esac
    case $file in
    src/cmd/*) continue ;;
    src/train/sft.* | src/train/dpo.* | src/train/grpo.*) list=$method_may ;;
    *)
        [[ -v may[$folder] ]] || { no_row+=" $folder"; continue; }
        list=${may[$folder]} ;;
    esac
    # shellcheck disable=SC2086
    allowed "$header" "$folder" $list || complain "$file:$line" "$folder may not include $header"
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' src --include='*.c' --include='*.h' --include='*.cc' --include='*.cu')

for folder in $(tr ' ' '\n' <<<"$no_row" | sort -u); do
    complain "src/$folder" "has no row in tools/layers.sh"
done

# The public header stands alone.
if grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' include/*.h 2>/dev/null; then
    complain include "the public header may include standard headers only"
fi

# One name, one file: an include or a message that says foo.c means one place.
while read -r name; do
    complain src "two files are called $name"
done < <(find src include tests -type f \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) -printf '%f\n' | sort | uniq -d)

exit $bad
