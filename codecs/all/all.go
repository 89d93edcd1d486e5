// Package all has every codec that chaperone knows, for programs that do not mind
// what the formats need of libraries.
package all

import (
	"maps"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/avro"
	"github.com/chaperone-audit/chaperone/codecs/cbor"
	"github.com/chaperone-audit/chaperone/codecs/msgpack"
	"github.com/chaperone-audit/chaperone/codecs/protobuf"
)

// Builders is a new set of them. Add your own to it.
func Builders() codecs.Builders {
	b := codecs.Standard()
	maps.Copy(b, codecs.Builders{"avro": avro.Builder, "cbor": cbor.Builder, "msgpack": msgpack.Builder, "protobuf": protobuf.Builder})
	return b
}
