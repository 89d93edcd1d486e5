module github.com/chaperone-audit/chaperone/audit/auditconfluent

go 1.25.0

require (
	github.com/chaperone-audit/chaperone/audit v0.0.0
	github.com/confluentinc/confluent-kafka-go/v2 v2.11.1
)

require (
	github.com/google/uuid v1.6.0 // indirect
	github.com/klauspost/cpuid/v2 v2.2.10 // indirect
	github.com/zeebo/xxh3 v1.1.0 // indirect
	golang.org/x/sys v0.30.0 // indirect
)

replace github.com/chaperone-audit/chaperone/audit => ..
