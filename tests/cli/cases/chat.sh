# A conversation from a pipe.
printf 'Which side?\n/image %s\n/image tests/data/goldens/small_tied/images/0.png\nWhat is shown?\n/reset\nWhich side?\n/what\n/quit\nnever read\n' "$SCRATCH/none.png" >"$SCRATCH/in"
run chat --model "$MODEL" --dtype f32 --max_new_tokens 4 --quiet <"$SCRATCH/in"
grep -v none.png "$SCRATCH/in" >"$SCRATCH/in2"
run chat --model "$MODEL" --dtype f32 --max_new_tokens 4 --quiet <"$SCRATCH/in2"
