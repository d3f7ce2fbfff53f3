#!/bin/sh
# spark-submit for each kind of cluster: deploy/submit.sh KIND config.yaml [gdmix options]
#   KIND: standalone (MASTER=spark://host:7077), yarn, kubernetes (MASTER=k8s://https://host:6443)
set -eu
kind=$1
shift
here=$(dirname "$0")

# each executor: a small heap, and room beside it for the Python processes that do the work
set -- --conf spark.executor.memory=2g --conf spark.executor.memoryOverhead=6g \
  --conf spark.locality.wait=60s "$here/train.py" "$@"

case "$kind" in
  standalone) exec spark-submit --master "$MASTER" "$@" ;;
  yarn) exec spark-submit --master yarn --deploy-mode client "$@" ;;
  kubernetes)
    exec spark-submit --master "$MASTER" --deploy-mode client \
      --conf spark.kubernetes.container.image="${IMAGE:-gdmix-spark}" "$@"
    ;;
  *)
    echo "submit.sh: found '$kind'; expected standalone, yarn or kubernetes" >&2
    exit 2
    ;;
esac
