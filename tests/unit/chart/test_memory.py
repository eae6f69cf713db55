"""What a server does where memory runs short."""

from tests.unit.chart.rendering import objects, pod_specs, variables


def test_a_server_on_java_that_has_no_memory_left_ends_and_is_started_again() -> None:
    pods = pod_specs(objects())
    for name, variable in (("demo-kafka", "KAFKA_HEAP_OPTS"), ("demo-registry", "JAVA_TOOL_OPTIONS")):
        (container,) = pods[name]["containers"]
        assert "-XX:+ExitOnOutOfMemoryError" in variables(container)[variable].split(), name


def test_postgresql_has_more_shared_memory_than_a_container_would_give_it() -> None:
    spec = pod_specs(objects())["demo-postgres"]
    (container,) = spec["containers"]
    (volume,) = (one["name"] for one in container["volumeMounts"] if one["mountPath"] == "/dev/shm")  # noqa: S108
    (given,) = (one["emptyDir"] for one in spec["volumes"] if one["name"] == volume)
    assert given == {"medium": "Memory", "sizeLimit": "256Mi"}
