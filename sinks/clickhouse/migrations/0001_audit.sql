-- Everything that chaperone keeps in ClickHouse. A statement ends with a
-- semicolon at the end of a line. Several instances may run this at once and
-- twice: every statement is harmless when it has run before.

CREATE TABLE IF NOT EXISTS audit_records
(
    topic                  LowCardinality(String) COMMENT 'name of the audited topic',
    window                 DateTime('UTC') COMMENT 'start of the window of event time; the nearest of 1970 and 2079 where it is outside them' CODEC(Delta, ZSTD(1)),
    window_start           Int64 COMMENT 'start of the window, Unix seconds, exact' CODEC(Delta, ZSTD(1)),
    window_size            Int64 COMMENT 'length of the window, seconds' CODEC(Delta, ZSTD(1)),
    tier                   LowCardinality(String) COMMENT 'the point of the pipeline that counted',
    datacenter             LowCardinality(String),
    cluster                LowCardinality(String) COMMENT 'the Kafka cluster; may be empty for an application',
    topic_id               LowCardinality(String) COMMENT 'id that Kafka gave this incarnation of the topic',
    partition              Int32 COMMENT '-1: counted by an application instance',
    instance               String COMMENT 'the application instance; empty for a Kafka partition' CODEC(ZSTD(1)),
    generation             Int64 COMMENT 'one counting of the source from its start' CODEC(Delta, ZSTD(1)),
    segment                Int64 COMMENT 'a run of the log within the generation' CODEC(Delta, ZSTD(1)),
    original               String COMMENT 'uuid of a record of the original Chaperone, else empty' CODEC(ZSTD(1)),
    version                Int64 COMMENT 'of records that are otherwise alike the highest counts' CODEC(ZSTD(1)),
    base                   Int64 COMMENT 'where above 0: lower generations of the source no longer count' CODEC(ZSTD(1)),
    owner                  LowCardinality(String) COMMENT 'session that wrote the record',
    host                   LowCardinality(String),

    messages               UInt64 CODEC(T64, ZSTD(1)),
    bytes                  UInt64 COMMENT 'of keys and values, uncompressed' CODEC(T64, ZSTD(1)),
    no_time                UInt64 COMMENT 'messages without an event time' CODEC(T64, ZSTD(1)),
    malformed              UInt64 COMMENT 'messages that their codec could not read' CODEC(T64, ZSTD(1)),
    out_of_bounds          UInt64 COMMENT 'messages with an event time that cannot be meant' CODEC(T64, ZSTD(1)),
    latency_bins           Map(Int16, UInt64) COMMENT 'messages per bin of latency: bin b is around 2 * 1.02^b / 2.02 ms, bin -1 is 0 ms' CODEC(ZSTD(1)),
    latency_sum            UInt64 COMMENT 'ms' CODEC(T64, ZSTD(1)),
    latency_max            Int64 COMMENT 'ms' CODEC(T64, ZSTD(1)),
    negative_latencies     UInt64 COMMENT 'messages from the future: two clocks disagree' CODEC(T64, ZSTD(1)),
    negative_latency_max   Int64 COMMENT 'ms' CODEC(T64, ZSTD(1)),
    fingerprint            UInt64 COMMENT 'sum of message hashes: equal for equal sets of messages',
    power_sums             Array(UInt64) COMMENT 'S1..S7 modulo 2^61-1 of message ids',
    fingerprint_mode       LowCardinality(String),

    first_offset           Int64 COMMENT '-1: none' CODEC(Delta, ZSTD(1)),
    last_offset            Int64 COMMENT '-1: none' CODEC(Delta, ZSTD(1)),
    partial                Bool COMMENT 'counting began in the middle of the window',
    generation_start       Int64 COMMENT 'offset at which the generation began' CODEC(Delta, ZSTD(1)),
    codec                  LowCardinality(String) COMMENT 'that the event times came from',
    time_basis             LowCardinality(String),
    latency_basis          LowCardinality(String),
    digest                 LowCardinality(String) COMMENT 'of codec, bounds and window size',

    arrival_measured       Bool COMMENT 'whether the latency up to the moment of reading was measured',
    arrival_bins           Map(Int16, UInt64) CODEC(ZSTD(1)),
    arrival_sum            UInt64 CODEC(T64, ZSTD(1)),
    arrival_max            Int64 CODEC(T64, ZSTD(1)),
    negative_arrivals      UInt64 CODEC(T64, ZSTD(1)),
    negative_arrival_max   Int64 CODEC(T64, ZSTD(1)),
    sketch                 String CODEC(ZSTD(1)),
    sketch_mode            LowCardinality(String),

    attempts               UInt64 COMMENT 'of an application instance' CODEC(T64, ZSTD(1)),
    successes              UInt64 CODEC(T64, ZSTD(1)),
    failures               UInt64 CODEC(T64, ZSTD(1)),
    client_started         Int64 COMMENT 'Unix milliseconds by its own clock' CODEC(Delta, ZSTD(1)),
    client_records         UInt64 CODEC(T64, ZSTD(1)),

    original_mean_latency  Nullable(Float64) COMMENT 'as an original record reports it, ms',
    original_latency95     Nullable(Float64),
    original_latency99     Nullable(Float64),
    original_max_latency   Nullable(Float64),

    extra                  String COMMENT 'fields that this version does not know, JSON' CODEC(ZSTD(1)),
    written_at             DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window)
ORDER BY (topic, window, window_start, window_size, tier, datacenter, cluster, topic_id, partition, instance, generation, segment, original)
COMMENT 'Window records as they came. Several versions may be there until parts are merged: ask the view audit.';

CREATE TABLE IF NOT EXISTS audit_events
(
    kind                   LowCardinality(String) COMMENT 'progress, missed, hello, goodbye, or one that this version does not know',
    topic                  LowCardinality(String),
    tier                   LowCardinality(String),
    datacenter             LowCardinality(String),
    cluster                LowCardinality(String),
    topic_id               LowCardinality(String),
    partition              Int32,
    instance               String CODEC(ZSTD(1)),
    generation             Int64 CODEC(Delta, ZSTD(1)),
    segment                Int64 CODEC(Delta, ZSTD(1)),
    writer                 String COMMENT 'what tells records apart besides: the owner of progress, a digest of what is not known, else empty' CODEC(ZSTD(1)),
    version                Int64 CODEC(ZSTD(1)),
    base                   Int64 CODEC(ZSTD(1)),
    owner                  LowCardinality(String),
    host                   LowCardinality(String),

    asked_after            Int64 COMMENT 'progress: version of the one acknowledged when the ends were asked for' CODEC(ZSTD(1)),
    partitions             Int32 COMMENT 'progress: that the topic has',
    sources                Nested
    (
        partition  Int32,
        generation Int64,
        base       Int64,
        segment    Int64,
        start      Int64,
        next       Int64,
        total      UInt64,
        time       Int64,
        log_start  Int64,
        end        Int64,
        caught_up  LowCardinality(String)
    ) COMMENT 'progress: of each partition of the owner',

    missed_from            Int64 COMMENT 'missed: first offset that nobody can count',
    missed_to              Int64 COMMENT 'missed: ... and the first that can be',
    missed_reason          LowCardinality(String),
    missed_since           Int64 COMMENT 'Unix milliseconds; 0 not known',
    missed_until           Int64,

    attempts               UInt64 COMMENT 'goodbye: of the application instance',
    successes              UInt64,
    failures               UInt64,
    client_started         Int64,
    client_records         UInt64 COMMENT 'goodbye: window records that it sent',

    extra                  String CODEC(ZSTD(1)),
    written_at             DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (topic, kind, tier, datacenter, cluster, topic_id, partition, instance, generation, segment, writer)
COMMENT 'The newest record of each kind that is not about a window: ask with FINAL.';

CREATE TABLE IF NOT EXISTS audit_bases
(
    topic                  LowCardinality(String),
    tier                   LowCardinality(String),
    datacenter             LowCardinality(String),
    cluster                LowCardinality(String),
    topic_id               LowCardinality(String),
    partition              Int32,
    instance               String,
    counts_from            SimpleAggregateFunction(max, Int64) COMMENT 'lower generations of the source no longer count'
)
ENGINE = AggregatingMergeTree
ORDER BY (topic, tier, datacenter, cluster, topic_id, partition, instance)
COMMENT 'Recounts that operators asked for.';

CREATE MATERIALIZED VIEW IF NOT EXISTS audit_bases_of_records TO audit_bases AS
SELECT topic, tier, datacenter, cluster, topic_id, partition, instance, base AS counts_from
FROM audit_records
WHERE base > 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS audit_bases_of_progress TO audit_bases AS
SELECT topic, tier, datacenter, cluster, topic_id, p AS partition, '' AS instance, b AS counts_from
FROM audit_events
ARRAY JOIN sources.partition AS p, sources.base AS b
WHERE kind = 'progress' AND b > 0;

CREATE VIEW IF NOT EXISTS audit AS
SELECT r.*
FROM audit_records AS r FINAL
LEFT JOIN
(
    SELECT topic, tier, datacenter, cluster, topic_id, partition, instance, max(counts_from) AS counts_from
    FROM audit_bases
    GROUP BY topic, tier, datacenter, cluster, topic_id, partition, instance
) AS b USING (topic, tier, datacenter, cluster, topic_id, partition, instance)
WHERE b.counts_from = 0 OR r.generation >= b.counts_from
COMMENT 'The newest record of each source and window: sums over it are right. The columns are those of audit_records.';

CREATE VIEW IF NOT EXISTS windows
(
    topic                LowCardinality(String),
    window               DateTime('UTC') COMMENT 'start of the window of event time',
    window_start         Int64 COMMENT 'the same in Unix seconds, exact also before 1970 and after 2079',
    window_size          Int64 COMMENT 'seconds',
    tier                 LowCardinality(String) COMMENT 'the point of the pipeline that counted',
    messages             UInt64,
    bytes                UInt64 COMMENT 'of keys and values, uncompressed',
    no_time              UInt64 COMMENT 'messages without an event time',
    malformed            UInt64 COMMENT 'messages that their codec could not read',
    out_of_bounds        UInt64 COMMENT 'messages with an event time that cannot be meant',
    latencies            UInt64 COMMENT 'messages whose latency is in the next columns',
    mean_ms              Float64 COMMENT 'of the time from the event to the record timestamp',
    p50_ms               Float64,
    p90_ms               Float64,
    p95_ms               Float64,
    p99_ms               Float64,
    p999_ms              Float64,
    max_ms               Int64 COMMENT 'exact',
    negative_latencies   UInt64 COMMENT 'messages from the future: two clocks disagree',
    negative_ms          Int64 COMMENT '... by at most so much',
    partial              Bool COMMENT 'counting began in the middle of the window at some source',
    sources              UInt64 COMMENT 'partitions and application instances that counted',
    originals            UInt64 COMMENT 'records of the original Chaperone in it: they bring no percentiles and no fingerprint',
    fingerprint          UInt64 COMMENT 'sum of message hashes: equal for equal sets of messages'
)
AS SELECT
    topic, window, window_start, window_size, tier,
    messages, bytes, no_time, malformed, out_of_bounds,
    arraySum(mapValues(bins)) AS latencies,
    if(latencies = 0, 0, latency_sum / latencies) AS mean_ms,
    quantiles[1] AS p50_ms, quantiles[2] AS p90_ms, quantiles[3] AS p95_ms, quantiles[4] AS p99_ms, quantiles[5] AS p999_ms,
    max_ms, negative_latencies, negative_ms,
    partial, sources, originals, fingerprint
FROM
(
    SELECT
        topic, window, window_start, window_size, tier,
        sum(a.messages) AS messages,
        sum(a.bytes) AS bytes,
        sum(a.no_time) AS no_time,
        sum(a.malformed) AS malformed,
        sum(a.out_of_bounds) AS out_of_bounds,
        max(a.partial) AS partial,
        uniqExactIf((a.datacenter, a.cluster, a.topic_id, a.partition, a.instance), a.original = '') AS sources,
        countIf(a.original != '') AS originals,
        sum(a.fingerprint) AS fingerprint,
        sum(a.latency_sum) AS latency_sum,
        max(a.latency_max) AS max_ms,
        sum(a.negative_latencies) AS negative_latencies,
        max(a.negative_latency_max) AS negative_ms,
        sumMap(a.latency_bins) AS bins,
        arrayCumSum(mapValues(bins)) AS ranks,
        arrayMap(b -> if(b < 0, 0, 2 * pow(1.02, b) / 2.02), mapKeys(bins)) AS values,
        arrayMap(q -> if(empty(ranks), 0, least(toFloat64(max_ms), values[arrayFirstIndex(r -> r >= ceil(q * ranks[-1]), ranks)])),
            [0.5, 0.9, 0.95, 0.99, 0.999]) AS quantiles
    FROM audit AS a
    GROUP BY topic, window, window_start, window_size, tier
)
COMMENT 'What each tier counted in each window of a topic, over all its datacenters. Latencies in milliseconds, percentiles within 1 %.';

CREATE VIEW IF NOT EXISTS latency
(
    topic                LowCardinality(String),
    window               DateTime('UTC') COMMENT 'start of the window of event time',
    window_start         Int64 COMMENT 'the same in Unix seconds, exact also before 1970 and after 2079',
    window_size          Int64 COMMENT 'seconds',
    tier                 LowCardinality(String) COMMENT 'the point of the pipeline that counted',
    datacenter           LowCardinality(String),
    latencies            UInt64 COMMENT 'messages whose latency is in the next columns',
    mean_ms              Float64 COMMENT 'of the time from the event to the record timestamp',
    p50_ms               Float64,
    p90_ms               Float64,
    p95_ms               Float64,
    p99_ms               Float64,
    p999_ms              Float64,
    max_ms               Int64 COMMENT 'exact',
    negative_latencies   UInt64 COMMENT 'messages from the future: two clocks disagree',
    negative_ms          Int64 COMMENT '... by at most so much'
)
AS SELECT
    topic, window, window_start, window_size, tier, datacenter,
    arraySum(mapValues(bins)) AS latencies,
    if(latencies = 0, 0, latency_sum / latencies) AS mean_ms,
    quantiles[1] AS p50_ms, quantiles[2] AS p90_ms, quantiles[3] AS p95_ms, quantiles[4] AS p99_ms, quantiles[5] AS p999_ms,
    max_ms, negative_latencies, negative_ms
FROM
(
    SELECT
        topic, window, window_start, window_size, tier, datacenter,
        sum(a.latency_sum) AS latency_sum,
        max(a.latency_max) AS max_ms,
        sum(a.negative_latencies) AS negative_latencies,
        max(a.negative_latency_max) AS negative_ms,
        sumMap(a.latency_bins) AS bins,
        arrayCumSum(mapValues(bins)) AS ranks,
        arrayMap(b -> if(b < 0, 0, 2 * pow(1.02, b) / 2.02), mapKeys(bins)) AS values,
        arrayMap(q -> if(empty(ranks), 0, least(toFloat64(max_ms), values[arrayFirstIndex(r -> r >= ceil(q * ranks[-1]), ranks)])),
            [0.5, 0.9, 0.95, 0.99, 0.999]) AS quantiles
    FROM audit AS a
    GROUP BY topic, window, window_start, window_size, tier, datacenter
)
COMMENT 'Latency in each window of a topic by tier and datacenter, in milliseconds, percentiles within 1 %. Percentiles of several rows must not be averaged: for a whole tier see windows.';
