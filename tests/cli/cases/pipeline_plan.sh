# A pipeline that trains an adapter and asks it: planned before its data is there, then run, the adapter's folder as a model.
figures() {
    sed -E '/^\$/!{/^[0-9]+\. /!{s/\b[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?\b/N/g; s/ +/ /g; s/N (s|min|h) \(/T (/; s/tokens, N (s|min|h),/tokens, T,/}}'
}
echo '{"id": "q", "question": "Which side?", "kind": "short", "answer": "left"}' >"$SCRATCH/questions.jsonl"
cat >"$SCRATCH/p.yaml" <<END
set: {model: $MODEL, n: 6}
stages:
  - name: text
    verb: phantom
    with: {split: text, n: \$n}
  - name: unknown
    verb: train
    with: {model: \$model, data: \$text/data.jsonl}
  - name: elicit
    verb: train
    with: {model: \$model, data: \$text/data.jsonl, finetuning_type: lora, lora_rank: 4, text_only: true, max_steps: 2, dtype: f32}
    expect: {samples: \$n, prompt: 30, answer: 20}
  - name: pairs
    verb: synth
    do: prefer
    with: {data: \$text/data.jsonl, samples: \$elicit/none.jsonl, blind: \$elicit/none.jsonl}
    expect: {requests: 10, prompt: 40, answer: 8}
  - name: enhance
    verb: train
    with: {method: dpo, model: \$elicit, data: \$pairs/data.jsonl, finetuning_type: lora}
    expect: {samples: 4, prompt: 30, answer: 20, pictures: 1, pixels: 12544}
  - name: exam
    verb: eval
    with: {model: \$elicit, data: $SCRATCH/questions.jsonl, dtype: f32, max_new_tokens: 4}
    expect: {answer: 3}
END
run run "$SCRATCH/p.yaml" "out=$SCRATCH/o" --dry-run | figures
sed '/name: unknown/,/data.jsonl}/d; /name: pairs/,/pixels/d' "$SCRATCH/p.yaml" >"$SCRATCH/short.yaml"
run run "$SCRATCH/short.yaml" "out=$SCRATCH/s" | grep -o '^all *1'
run generate --model "$SCRATCH/s/elicit" --adapter "$SCRATCH/s/elicit" --prompt Hello
mv "$SCRATCH/s/elicit" "$SCRATCH/away" && sed -i "s|$MODEL|nowhere|" "$SCRATCH/away/adapter_config.json"
run generate --model "$SCRATCH/away" --prompt Hello
run train "model=$MODEL" data=tests/data/goldens/small_tied/data.jsonl "output_dir=$SCRATCH/t" text_only=true
for bad in '{samples: many}' '[samples]' '{sample: 2}'; do
    printf 'stages:\n  - name: a\n    verb: train\n    expect: %s\n' "$bad" >"$SCRATCH/bad.yaml"
    run run "$SCRATCH/bad.yaml" --dry-run
done
