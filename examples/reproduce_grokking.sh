#!/bin/sh
# Grokking: a transformer learns addition mod 113, and what it learned is read off its weights.
#
# usage: reproduce_grokking.sh [FOLDER]
# time:  13 min on two cores
#
# Published (Nanda et al. 2023, arXiv 2301.05217; TransformerLens's Grokking_Demo): test loss 2.03e-7
# and train loss 9.4e-8 after 25 000 epochs; a few key frequencies, whose cosines are the logits.
set -eu
run=${1:-runs/grokking}

mitool train modadd --p 113 -o "$run" --resume \
  --check 'test_accuracy == 1' --check 'test_loss < 1e-6' --check 'train_loss < 2e-7'

# every checkpoint: restricted and excluded loss, and the phases of training
mitool analyze fourier "$run" --checkpoints all --overwrite \
  --check 'logit_variance_explained > 0.9' --check 'accuracy_without_key_frequencies < 0.1' \
  --check 'formula_agreement > 0.99'

mitool analyze attn "$run" --overwrite
mitool patch "$run" --overwrite
mitool analyze circuit "$run" --overwrite --check 'faithfulness >= 0.9'
mitool report "$run"
