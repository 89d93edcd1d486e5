package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stampAppendTime honours message.timestamp.type=LogAppendTime, which kfake
// knows and ignores. The audit's time is that of its log (progress records are
// read by append time), so a producer's time there would be wrong in kind.
//
// Apache Kafka sets a bit and one timestamp in the header of the batch. kfake
// would overwrite the timestamp of such a batch after checking its checksum and
// so break it; therefore the time goes into the records, which makes the batch
// look like one whose producer gave it that time.
func stampAppendTime(c *kfake.Cluster) {
	c.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		req := kreq.(*kmsg.ProduceRequest)
		for i := range req.Topics {
			t := &req.Topics[i]
			var info *kfake.TopicInfo
			if t.TopicID != [16]byte{} { // from version 13
				info = c.TopicIDInfo(t.TopicID)
			} else {
				info = c.TopicInfo(t.Topic)
			}
			if info == nil || !appendTime(info.Configs) {
				continue
			}
			now := time.Now().UnixMilli()
			for j := range t.Partitions {
				// What cannot be read goes on as it is: kfake says what is wrong with it.
				if b, err := stamp(t.Partitions[j].Records, now); err == nil {
					t.Partitions[j].Records = b
				}
			}
		}
		return nil, nil, false
	})
}

func appendTime(configs map[string]*string) bool {
	v := configs["message.timestamp.type"]
	return v != nil && *v == "LogAppendTime"
}

// Where the fields of a record batch are, and bits of its attributes.
const (
	batchHeader   = 61 // bytes up to the first record
	crcAt         = 17
	attributesAt  = 21 // the checksum covers all from here
	codecBits     = 0x07
	appendTimeBit = 0x08
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stamp gives a copy of a record batch in which every record has the timestamp.
// It checks the checksum, because writing a new one would hide damage.
func stamp(batch []byte, ms int64) ([]byte, error) {
	var b kmsg.RecordBatch
	switch err := b.ReadFrom(batch); {
	case err != nil:
		return nil, fmt.Errorf("read record batch: %w", err)
	case len(batch) < batchHeader || b.Magic != 2 || int(b.Length) != len(batch)-12 || b.NumRecords < 0:
		return nil, fmt.Errorf("record batch of %d bytes, magic %d, length %d: not one batch of version 2", len(batch), b.Magic, b.Length)
	case uint32(b.CRC) != crc32.Checksum(batch[attributesAt:], castagnoli):
		return nil, fmt.Errorf("record batch: checksum mismatch")
	}
	records := b.Records
	if codec := b.Attributes & codecBits; codec != 0 {
		var err error
		if records, err = kgo.DefaultDecompressor().Decompress(records, kgo.CompressionCodecType(codec)); err != nil {
			return nil, fmt.Errorf("decompress record batch: %w", err)
		}
	}
	out := make([]byte, 0, len(records))
	n := int32(0)
	for ; len(records) > 0; n++ {
		rest, err := restamp(&out, records)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", n, err)
		}
		records = rest
	}
	if n != b.NumRecords {
		return nil, fmt.Errorf("record batch has %d records and says %d", n, b.NumRecords)
	}
	b.Attributes &^= appendTimeBit
	out, err := recompress(out, b.Attributes&codecBits)
	if err != nil {
		return nil, err
	}
	b.FirstTimestamp, b.MaxTimestamp = ms, ms
	b.Records = out
	b.Length = int32(batchHeader - 12 + len(out))
	batch = b.AppendTo(nil)
	binary.BigEndian.PutUint32(batch[crcAt:], crc32.Checksum(batch[attributesAt:], castagnoli))
	return batch, nil
}

// recompress packs records as their producer had them, so that a batch that was
// small enough to send stays small enough to keep.
func recompress(records []byte, codec int16) ([]byte, error) {
	var c kgo.CompressionCodec
	switch kgo.CompressionCodecType(codec) {
	case kgo.CodecNone:
		return records, nil
	case kgo.CodecGzip:
		c = kgo.GzipCompression()
	case kgo.CodecSnappy:
		c = kgo.SnappyCompression()
	case kgo.CodecLz4:
		c = kgo.Lz4Compression()
	case kgo.CodecZstd:
		c = kgo.ZstdCompression()
	default:
		return nil, fmt.Errorf("compression %d of record batch is unknown", codec)
	}
	packer, err := kgo.DefaultCompressor(c)
	if err != nil {
		return nil, fmt.Errorf("compress record batch: %w", err)
	}
	packed, used := packer.Compress(new(bytes.Buffer), records)
	if used != kgo.CompressionCodecType(codec) {
		return nil, fmt.Errorf("compress record batch: codec %d instead of %d", used, codec)
	}
	return packed, nil
}

// restamp copies the first record with a timestamp delta of zero, and gives
// the bytes after it:
//
//	varint length | int8 attributes | varint timestamp delta | the rest
func restamp(out *[]byte, b []byte) (rest []byte, err error) {
	size, n := binary.Varint(b)
	if n <= 0 || size < 1 || size > int64(len(b)-n) {
		return nil, fmt.Errorf("length %d with %d bytes left", size, len(b))
	}
	record, rest := b[n:n+int(size)], b[n+int(size):]
	_, d := binary.Varint(record[1:])
	if d <= 0 {
		return nil, fmt.Errorf("no timestamp")
	}
	tail := record[1+d:]
	*out = binary.AppendVarint(*out, int64(2+len(tail)))
	*out = append(*out, record[0], 0) // 0 is varint 0
	*out = append(*out, tail...)
	return rest, nil
}
