#!/bin/sh
# Greater-than: "The war lasted from the year 1732 to the year 17" must go on with a year after 32.
#
# usage: greater_than.sh [FOLDER [MODEL [BOS]]]
# time:  1 min 4 s on two cores, for the toy
#
# First a toy transformer, trained on the task; then MODEL, gpt2 if left out, as Hanna et al. 2023
# (arXiv 2305.00586) study it: a folder of Hugging Face's, or a name where there is a network. Its
# texts are read after a BOS, as there, which GPT-2's tokenizer puts only where it is asked to; BOS is
# auto for the tokenizer's own rule.
set -eu
folder=${1:-runs/greater-than}
model=${2:-gpt2}
bos=${3:-yes}

mitool train greater-than -o "$folder/toy" --resume --check 'test_accuracy > 0.999'
mitool analyze attn "$folder/toy" --overwrite
mitool patch "$folder/toy" --by-position --overwrite
mitool analyze circuit "$folder/toy" --holdout 0.5 --audit 23 --overwrite \
  --check 'faithfulness >= 0.9'
mitool report "$folder/toy"

status=0
mitool analyze circuit "$model" --task greater-than --n-pairs 64 --bos "$bos" \
  --edges 300 --holdout 0.5 -o "$folder/pretrained" --overwrite || status=$?
if [ "$status" -eq 3 ]; then
  echo "$model is not at hand: give a model's folder, or a name where there is a network" >&2
elif [ "$status" -ne 0 ]; then
  exit "$status"
fi
