package codecs

import (
	"context"
	"errors"
)

// A Registry has the schemas that messages name by number.
type Registry interface {
	// Schema gets a schema, in one attempt. An error that is ErrNoSchema means that
	// messages with this number are malformed for ever; any other one that nobody
	// knows yet.
	Schema(ctx context.Context, id uint32) (Schema, error)
}

// ErrNoSchema says that a schema does not exist, and that it has been decided to
// take that for an answer.
var ErrNoSchema = errors.New("there is no such schema")

// A Schema is one as a registry has it.
type Schema struct {
	Type string // AVRO, PROTOBUF or JSON
	Text string
	// Needs are the schemas that it refers to, and those that they do, each once and
	// before all that refer to it.
	Needs []NamedSchema
}

// A NamedSchema has the name by which others refer to it.
type NamedSchema struct{ Name, Text string }
