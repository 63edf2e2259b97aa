# The image of the agent: `docker build -t logsieve .`
#
# Every base is an argument, so that it also builds where only local images exist. Where dist/logsieve (and dist/model/) are
# in the context, they are taken as they are and nothing is compiled: scripts/image-part says how.
ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm
# Must hold glibc, libstdc++ (ONNX Runtime) and nothing else: no shell, no package manager.
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS agent
WORKDIR /src
COPY . .
RUN ["sh", "scripts/image-part", "agent", "/out"]

FROM ${PYTHON_IMAGE} AS model
# no: an image of a third of the size that judges by rules alone
ARG MODEL=yes
WORKDIR /src
COPY scripts/ scripts/
COPY model/ model/
# the licence stands for "something": a pattern alone that matches nothing is an error
COPY LICENSE dist* dist/
RUN ["sh", "scripts/image-part", "model", "/out"]

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="logsieve" \
      org.opencontainers.image.description="Labels every log line with what it is about, how bad it is, and why" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=agent /out/ /
COPY --from=model /out/ /
COPY --from=agent --chown=65532:65532 /state/ /var/lib/logsieve/
# By number, so that a kubelet can see that it is not root.
USER 65532:65532
VOLUME /var/lib/logsieve
ENTRYPOINT ["/usr/local/bin/logsieve"]
CMD ["run", "-c", "/etc/logsieve/logsieve.yaml"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=6s --start-period=20s --retries=3 \
    CMD ["/usr/local/bin/logsieve", "healthcheck", "-c", "/etc/logsieve/logsieve.yaml"]
