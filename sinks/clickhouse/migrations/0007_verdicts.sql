-- What the judge says of windows, and what people read of it. In granules smaller than
-- the default: a dashboard asks for the last day of every topic.

CREATE TABLE IF NOT EXISTS verdicts
(
    topic                  LowCardinality(String) COMMENT 'name of the audited topic',
    window                 DateTime('UTC') COMMENT 'start of the window of event time; the nearest of 1970 and 2079 where it is outside them' CODEC(Delta, ZSTD(1)),
    window_start           Int64 COMMENT 'start of the window, Unix seconds, exact' CODEC(Delta, ZSTD(1)),
    window_size            Int64 COMMENT 'length of the window, seconds' CODEC(Delta, ZSTD(1)),
    version                Int64 COMMENT 'of verdicts about one window the highest counts' CODEC(ZSTD(1)),
    pipeline               LowCardinality(String) COMMENT 'empty: the topic is in none, and its tiers are not compared',
    state                  LowCardinality(String) COMMENT 'open, provisional, final, or amended: changed after it was final',
    verdict                LowCardinality(String) COMMENT 'the gravest finding that is not explained: missing, altered, duplicated, unknown, late or complete',
    ratio                  Float64 COMMENT 'how much of what went in came out, 0 to 1: the least over the pairs of tiers' CODEC(ZSTD(1)),
    judged_at              DateTime64(3, 'UTC') COMMENT 'by the time of the audit topic' CODEC(Delta, ZSTD(1)),
    final_at               Nullable(DateTime64(3, 'UTC')) COMMENT 'when it was final for the first time' CODEC(ZSTD(1)),
    digest                 LowCardinality(String) COMMENT 'of the configuration under which it was judged',

    tiers                  Nested
    (
        name                LowCardinality(String),
        messages            UInt64,
        bytes               UInt64,
        no_time             UInt64,
        malformed           UInt64,
        out_of_bounds       UInt64,
        attempts            UInt64,
        failures            UInt64,
        sources             Int64,
        counted             Bool,
        fingerprint         String,
        datacenters         Map(String, UInt64),
        latencies           UInt64,
        p50_ms              Float64,
        p95_ms              Float64,
        p99_ms              Float64,
        max_ms              Int64,
        negative_latencies  UInt64,
        negative_ms         Int64,
        arrivals            UInt64,
        arrival_p50_ms      Float64,
        arrival_p95_ms      Float64,
        arrival_p99_ms      Float64,
        arrival_max_ms      Int64,
        negative_arrivals   UInt64,
        negative_arrival_ms Int64
    ) COMMENT 'what each tier has counted, in the order of the pipeline',

    findings               Nested
    (
        kind      LowCardinality(String),
        reason    LowCardinality(String),
        from_tier LowCardinality(String),
        to_tier   LowCardinality(String),
        messages  UInt64,
        bound     LowCardinality(String),
        explained Bool,
        ids       Array(UInt64),
        sentence  String
    ) COMMENT 'what was found, the gravest first',

    at_final               Map(String, UInt64) COMMENT 'of an amended window: messages by tier when it was final' CODEC(ZSTD(1)),
    json                   String COMMENT 'the verdict as it was said, whole: places are here, and what this version does not know' CODEC(ZSTD(3)),
    written_at             DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window)
ORDER BY (topic, window, window_start, window_size)
SETTINGS index_granularity = 1024
COMMENT 'Verdicts as they came. Several versions may be there until parts are merged: ask the views completeness and loss, or with FINAL.';

CREATE VIEW IF NOT EXISTS completeness
(
    topic                LowCardinality(String),
    window               DateTime('UTC') COMMENT 'start of the window of event time',
    window_start         Int64 COMMENT 'the same in Unix seconds, exact also before 1970 and after 2079',
    window_size          Int64 COMMENT 'seconds',
    pipeline             LowCardinality(String) COMMENT 'empty: the topic is in none, and its tiers are not compared',
    state                LowCardinality(String) COMMENT 'open, provisional, final, or amended: changed after it was final',
    verdict              LowCardinality(String) COMMENT 'the gravest of what was found: missing, altered, duplicated, unknown, late or complete',
    gravity              UInt8 COMMENT 'of the verdict: 0 missing to 5 complete, so that the least of several windows is the gravest',
    complete             Bool COMMENT 'the verdict is complete, and nothing more is expected',
    ratio                Float64 COMMENT 'how much of what went in came out, 0 to 1: the least over the pairs of tiers. What is not known does not lower it: look at the verdict too',
    first_messages       UInt64 COMMENT 'at the first tier',
    last_messages        UInt64 COMMENT 'at the last tier',
    final_at             Nullable(DateTime64(3, 'UTC')) COMMENT 'when it was final for the first time',
    judged_at            DateTime64(3, 'UTC')
)
AS SELECT
    topic, window, window_start, window_size, pipeline, state, verdict,
    toUInt8(transform(verdict, ['missing', 'altered', 'duplicated', 'unknown', 'late', 'complete'], [0, 1, 2, 3, 4, 5], 6)) AS gravity,
    verdict = 'complete' AND state IN ('final', 'amended') AS complete,
    ratio,
    tiers.messages[1] AS first_messages,
    tiers.messages[-1] AS last_messages,
    final_at, judged_at
FROM verdicts FINAL
COMMENT 'Whether what went into each window of a topic came out. A window without a row is one in which nobody has counted anything, or one that is not judged yet.';

CREATE VIEW IF NOT EXISTS loss
(
    topic                LowCardinality(String),
    window               DateTime('UTC') COMMENT 'start of the window of event time',
    window_start         Int64 COMMENT 'the same in Unix seconds, exact also before 1970 and after 2079',
    window_size          Int64 COMMENT 'seconds',
    pipeline             LowCardinality(String),
    from_tier            LowCardinality(String) COMMENT 'a tier of the pipeline',
    to_tier              LowCardinality(String) COMMENT 'the next one',
    from_messages        UInt64,
    to_messages          UInt64,
    missing              UInt64 COMMENT 'messages that passed the one and not the other',
    duplicated           UInt64 COMMENT 'messages that are at the other more often than at the one',
    altered              UInt64 COMMENT 'messages with another key or value',
    late                 UInt64 COMMENT 'messages that have not come to the other yet, came after the window was final, or lie in a neighbouring window',
    explained            UInt64 COMMENT 'messages in which the two differ as they should: a compacted topic, a rule of the configuration. They are in none of the above',
    bounded              Bool COMMENT 'a number is not exact, but at least or at most so many',
    unknown              String COMMENT 'why nobody can say more, empty if somebody can: reasons as in findings.reason of the table verdicts',
    state                LowCardinality(String) COMMENT 'of the window: open, provisional, final or amended',
    verdict              LowCardinality(String) COMMENT 'of the window, over all pairs of tiers'
)
AS SELECT
    topic, window, window_start, window_size, pipeline,
    tiers.name[pair] AS from_tier,
    tiers.name[pair + 1] AS to_tier,
    tiers.messages[pair] AS from_messages,
    tiers.messages[pair + 1] AS to_messages,
    -- Findings of the pair; and of one of its tiers alone, where that is what they are of.
    arrayMap((f, t, e) -> NOT e AND f = from_tier AND t = to_tier, findings.from_tier, findings.to_tier, findings.explained) AS between,
    arraySum(arrayMap((b, k, n) -> if(b AND k = 'missing', n, 0), between, findings.kind, findings.messages)) AS missing,
    arraySum(arrayMap((b, k, n) -> if(b AND k = 'duplicated', n, 0), between, findings.kind, findings.messages)) AS duplicated,
    arraySum(arrayMap((b, k, n) -> if(b AND k = 'altered', n, 0), between, findings.kind, findings.messages)) AS altered,
    arraySum(arrayMap((b, k, n, f, t) -> if(k = 'late' AND (b OR f = '' AND t = to_tier), n, 0), between, findings.kind, findings.messages, findings.from_tier, findings.to_tier)) AS late,
    arraySum(arrayMap((e, n, f, t) -> if(e AND f = from_tier AND t = to_tier, n, 0), findings.explained, findings.messages, findings.from_tier, findings.to_tier)) AS explained,
    arrayExists((b, l) -> b AND l != '', between, findings.bound) AS bounded,
    arrayStringConcat(arraySort(arrayDistinct(arrayFilter((r, b, k, f, t) -> k = 'unknown' AND (b OR f = '' AND t IN (from_tier, to_tier)), findings.reason, between, findings.kind, findings.from_tier, findings.to_tier))), ', ') AS unknown,
    state, verdict
FROM verdicts FINAL
ARRAY JOIN range(1, length(tiers.name)) AS pair
WHERE pipeline != ''
COMMENT 'How neighbouring tiers of a pipeline differ in each window of a topic. A row in which missing, duplicated, altered and late are 0 and unknown is empty says that nothing was found.';
