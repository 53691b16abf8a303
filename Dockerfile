# syntax=docker/dockerfile:1
# One static binary and the root certificates; nothing else is in the image, no shell and no libraries.
#
#   docker build -t mcp-mend .
#   docker run --rm -p 8808:8808 mcp-mend http://server:3000 --public-url http://localhost:8808

ARG RUST=1.95

FROM rust:${RUST}-alpine AS build
RUN apk add --no-cache bash binutils build-base ca-certificates-bundle
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    binary=$(deploy/build-static) && deploy/image-root "$binary" /out

FROM scratch
# What deploy/image-root has laid out: /mcp-mend, /etc/ssl/certs/ca-certificates.crt, /etc/mcp-mend/proxy.toml,
# /etc/passwd, /licenses, /captures.
COPY --from=build /out/ /
# The one folder that may be written to: --capture /captures, with a volume there.
COPY --from=build --chown=65532:65532 /out/captures/ /captures/
# In a container it is its engine that publishes the port or not, so the loopback address would be of no use. A variable,
# since a mounted file may not say so; it wins over `listen` there.
ENV MCP_MEND_LISTEN=0.0.0.0:8808
# Says where health is. A file or a folder that is mounted there takes its place.
ENV MCP_MEND_CONFIG=/etc/mcp-mend/proxy.toml
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8808
ENTRYPOINT ["/mcp-mend"]
# By the binary itself: there is no shell and no curl.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/mcp-mend", "health"]
LABEL org.opencontainers.image.title="mcp-mend" \
      org.opencontainers.image.description="A reverse proxy that mends what is non-compliant in a remote MCP server's answers" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
