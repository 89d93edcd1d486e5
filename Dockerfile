FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY audit/go.mod audit/go.sum audit/
COPY audit/auditfranz/go.mod audit/auditfranz/go.sum audit/auditfranz/
COPY audit/auditsarama/go.mod audit/auditsarama/go.sum audit/auditsarama/
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -tags noembed -o /chaperone ./cmd/chaperone

# Static, without the embedded ClickHouse of `standalone`, which needs glibc, and
# with nothing but the authorities that TLS trusts.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /chaperone /chaperone
USER 65532:65532
EXPOSE 9000
ENTRYPOINT ["/chaperone"]
