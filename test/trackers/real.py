"""What the real tools read of a run of Thaw's: one JSON object on standard output. See real.mjs.

python real.py tensorboard <folder> | mlflow <url> <experiment>
"""
import json
import sys


def tensorboard(folder):
    from tensorboard.backend.event_processing import event_accumulator

    found = event_accumulator.EventAccumulator(folder, size_guidance={name: 0 for name in event_accumulator.DEFAULT_SIZE_GUIDANCE})
    found.Reload()
    tags = found.Tags()
    return {
        "scalars": {tag: [[one.step, one.value] for one in found.Scalars(tag)] for tag in tags["scalars"]},
        "histograms": {
            tag: [[one.step, one.histogram_value.num, sum(one.histogram_value.bucket)] for one in found.Histograms(tag)]
            for tag in tags["histograms"]
        },
        "images": {tag: [[one.step, one.width, one.height] for one in found.Images(tag)] for tag in tags["images"]},
        "texts": {
            tag: [[one.step, one.tensor_proto.string_val[0].decode()] for one in found.Tensors(tag)]
            for tag in tags["tensors"]
        },
    }


def mlflow(url, experiment):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(url)
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    found = []
    for run in runs:
        number = run.info.run_id
        places, artifacts = [""], []
        while places:
            for one in client.list_artifacts(number, places.pop()):
                (places if one.is_dir else artifacts).append(one.path)
        series = {
            name: sorted([one.step, one.value] for one in client.get_metric_history(number, name))
            for name in run.data.metrics
        }
        about = {"status": run.info.status, "params": run.data.params, "tags": run.data.tags}
        found.append({**about, "name": run.info.run_name, "metrics": series, "artifacts": sorted(artifacts)})
    return found


if __name__ == "__main__":
    print(json.dumps({"tensorboard": tensorboard, "mlflow": mlflow}[sys.argv[1]](*sys.argv[2:])))
