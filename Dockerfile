# syntax=docker/dockerfile:1
# dbmigrate alone, without a shell. Everything but the Go image comes from the Go module proxy.
#
#   docker build --build-arg VERSION=v1.2.3 -t dbmigrate .
#   docker run --rm --env-file dbmigrate.env dbmigrate scan
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
ENV GOCACHE=/go/build
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY cmd cmd
COPY internal internal
COPY pkg pkg
ARG TARGETOS=linux TARGETARCH=amd64 VERSION=devel
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/go/build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.releaseVersion=$VERSION" -o /out/dbmigrate ./cmd/dbmigrate \
    && mkdir -m 1777 /out/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ /
USER 65532:65532
ENTRYPOINT ["/dbmigrate"]
