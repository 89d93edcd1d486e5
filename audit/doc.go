// Package audit is the vocabulary of the completeness audit: what is counted,
// where, over which interval, and how it is written down.
//
// A pipeline has tiers, points that messages pass. At each tier sources count:
// a partition of a Kafka topic, or an instance of an application. A source
// keeps a [Tally] for each [Window], a tumbling interval of event time, and
// says what it has as a [Record].
//
// A Record is cumulative. It states everything its source has counted in the
// window so far, under an [Identity] and a Version; it never states a
// difference. So Records may be lost after a newer one, repeated, delayed and
// reordered, and whoever keeps the highest Version of each Identity is right.
// What a window holds at a source is the sum over its segments and generations.
//
// The promise that this rests on: the content of a Record is a function of the
// source's log, the Identity and the Version alone. Nothing here reads a clock.
//
// # Wire format
//
// On the audit topic a record is one flat JSON object, in UTF-8, under the key
// that [Record.Key] describes. Its fields are a superset of those of the
// original Chaperone. Readers take null for absent, and keep fields that they do
// not know ([Record.Extra]). Whole numbers are written without fraction and
// exponent. Sums that use all 64 bits are strings, because many readers of JSON
// have only doubles. A field left out has the value in brackets; those without
// one must be there in a record of kind window.
//
//	field                 type     unit and meaning
//	v                     number   version of the format, 1
//	kind                  string   window, progress, hello, goodbye or missed
//	uuid                  string   version 5, derived from identity and version: see Record.UUID; not read
//	timeBeginInSec        number   window only: Unix seconds, a multiple of the window's size
//	timeEndInSec          number   window only: Unix seconds, exclusive; the size divides a day
//	topicName             string
//	physicalTopic         string   name of the topic on the cluster, where it has another one there [topicName]
//	hostname              string   where the counter ran [empty]
//	tier                  string
//	datacenter            string   [empty]
//	cluster               string   the Kafka cluster [empty]
//	topicId               string   Kafka's id of the topic, 22 characters [unknown]
//	partition             number   [none: the source is an application instance]
//	instance              string   the application instance [empty]
//	generation            number   one counting of the source from its start [0]
//	segment               number   run of the source's log [0]
//	version               number   orders the records of an identity: the highest is the newest
//	base                  number   generations below it do not count [0]
//	owner                 string   session that wrote the record [empty]
//
// The identity is kind, tier, datacenter, cluster, topicName, topicId,
// partition, instance, window, generation and segment; in a record of kind
// progress also the owner. Records of kind window say further:
//
//	totalBytes            number   bytes of keys and values, uncompressed [0]
//	count                 number   messages
//	noTimeCount           number   messages without an event time [0]
//	malformedCount        number   messages that the declared codec could not read [0]
//	outOfBoundsCount      number   messages whose event time cannot be meant [0]
//	meanLatency           number   ms, from latencySum; null if there is none; not read
//	latency95             number   ms, from latencyBins, at most 1 % off; null if there is none; not read
//	latency99             number   likewise
//	maxLatency            number   ms, exact; null if there is none
//	latencySum            number   ms, of the latencies that are not negative [0]
//	latencyBins           object   bin -> messages; bin = ceil(log(ms)/log(1.02)), -1 for 0 ms, at most 1200 [empty]
//	negativeLatencyCount  number   messages with a negative latency: clocks differ [0]
//	negativeLatencyMax    number   ms, the largest magnitude among them [0]
//	firstOffset           number   of the first message counted [none]
//	lastOffset            number   of the last message counted [none]
//	partial               boolean  earlier messages of the window may not have been counted [false]
//	generationStart       number   offset at which the generation began [0]
//	fingerprint           string   sum of message hashes mod 2^64, decimal: see Hash ["0"]
//	powerSums             array    of 7 strings, decimal, below 2^61-1: see PowerSums [zeros]
//	momentSums            array    likewise, of hashes of keys and event times alone: see Moment [not kept]
//	fingerprintMode       string   how messages are hashed, xxh3-kv-1 [no fingerprint]
//	timeBasis             string   what event times are: payload, header, record or mixed [unknown]
//	latencyBasis          string   what a latency ends at: CreateTime, LogAppendTime, clock (of the counter) or unknown [unknown]
//	codec                 string   that read the event times [empty]
//	digest                string   of codec, bounds and window size [empty]
//	arrival               object   latency up to the moment of reading: the eight fields from meanLatency to negativeLatencyMax [not measured]
//	sketch                string   base64, a set sketch [none]
//	sketchMode            string   the form of sketch [empty]
//
// The other kinds, and application instances, have one object each:
//
//	progress.askedAfter   number   version of the owner's progress record that had been acknowledged when ends were asked for [0]
//	progress.partitions   number   of the topic; 0 without topicId and sources: the cluster does not have it [0]
//	progress.compacted    boolean  the topic is known to be compacted [false]
//	progress.sources      array    of objects, one for each partition counted:
//	  partition           number   -1 for an application instance
//	  generation          number   [0]
//	  base                number   [0]
//	  segment             number   [0]
//	  start               number   offset at which the generation began [0]
//	  next                number   first offset not durably counted; of an application instance its version, as of records
//	  total               number   messages counted in the generation [0]
//	  time                number   Unix ms, record timestamp of the last one counted [0, none]
//	  logStart            number   first offset the log still has [unknown]
//	  end                 number   last stable offset when asked [unknown]
//	  highWatermark       number   end of the log when asked, open transactions included; not before end [unknown]
//	  caughtUp            string   yes, no or unknown
//	missed.from           number   first offset that nobody can count
//	missed.to             number   the one after the last; see Missed for what the range bounds
//	missed.reason         string   retention, truncated, recreated, damaged, config, corrupt or recount
//	missed.since          number   Unix ms, bound of the event times touched [0, unknown]
//	missed.until          number   likewise
//	client.attempts       number   messages; of an application instance, in all kinds but missed [0]
//	client.successes      number   [0]
//	client.failures       number   [0]
//	client.started        number   Unix ms, by the instance's clock [0, unknown]
//	client.records        number   in progress and goodbye: windows, by segment, of which records were sent [0]
//	client.every          number   ms, in hello and progress: the instance is silent for no longer, unless it has vanished [0, unknown]
//	client.uncounted      number   messages of all topics that passed and are in no record [0]
//
// A record with neither v nor kind is the original's. There every number may be
// absent, null, a double in exponent form or in quotes; times that are not whole
// are floored; the uuid is the identity, and the version is 0. Only uuid and
// topicName must be there. When such a record is written again it has whole
// numbers and, as the only field of ours, owner.
package audit
