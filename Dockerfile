FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /chaperone ./cmd/chaperone

# Static, and needs nothing but the authorities that TLS trusts. The embedded
# ClickHouse of `standalone` needs glibc and so does not run in here.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /chaperone /chaperone
USER 65532:65532
EXPOSE 9000
ENTRYPOINT ["/chaperone"]
