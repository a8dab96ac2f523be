# The program itself: help, version, unknown verbs and options.
run
run --help
run --version
run tokenise
run frobnicate
run generate --modle x
run generate --model "$MODEL"
run generate --model "$MODEL" --prompt hi --max_new_tokens 0
run generate --model "$MODEL" --prompt hi --device cuda
run score --model "$MODEL" --data x.jsonl extra
run tokenize --help
