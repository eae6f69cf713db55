"""Spans of what a service does, for OpenTelemetry: off until a variable of its standard says where they go.

Begin at `spans`: what a span is beneath, and which are recorded at all. `calls` has the spans of gRPC calls, `messages`
those of messages, and `setup` reads the variables. May import `sagakit.trace_context` and OpenTelemetry alone.

Names and attributes are those of https://opentelemetry.io/docs/specs/semconv/: of RPC, messaging and databases.
"""
