# One image for all roles: a static binary, the topologies that ship, and nothing else.
#
#   docker build -t fogbit:0.1.0 .

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /source
COPY . .
# With --target the flags are for the program alone: procedural macros cannot be static.
RUN target=$(rustc -vV | sed -n 's/^host: //p') \
    && RUSTFLAGS="-C target-feature=+crt-static" CARGO_PROFILE_RELEASE_STRIP=symbols \
        cargo build --release --locked --package fogbit --target "$target" \
    && install -D "target/$target/release/fogbit" /image/fogbit
# Folders that the processes write to. Volumes mounted on them take over owner and mode, and they are
# open to every user, because FOGBIT_USER may be any: whoever can reach them has the volume anyway.
RUN install -d -m 0777 /image/folders/results /image/folders/run/fogbit/helper /image/folders/run/fogbit/task-node

FROM scratch
LABEL org.opencontainers.image.title="Fogbit" \
      org.opencontainers.image.description="A distributed fog-network emulator for task-offloading policies" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/fogbit /fogbit
COPY --from=build --chown=1000:1000 /image/folders /
COPY topologies /topologies
USER 1000:1000
WORKDIR /
STOPSIGNAL SIGTERM
# Asks the process for its /healthz. Each check starts a process: with many containers on a host,
# checks in quick succession would take time from the nodes.
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=4 CMD ["/fogbit", "health"]
ENTRYPOINT ["/fogbit"]
CMD ["--help"]
