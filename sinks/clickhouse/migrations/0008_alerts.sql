-- What the rules have found. Not divided into partitions: they are few, and an alert may
-- be old and alive.

CREATE TABLE IF NOT EXISTS alert_events
(
    key                    String COMMENT 'the same as long as the alert lives, and of no other' CODEC(ZSTD(1)),
    state                  LowCardinality(String) COMMENT 'pending, firing or resolved',
    version                Int64 COMMENT 'of one alert the highest is the newest word' CODEC(ZSTD(1)),
    rule                   LowCardinality(String),
    class                  LowCardinality(String) COMMENT 'of the topics',
    severity               LowCardinality(String) COMMENT 'page, ticket or notice',
    shadow                 Bool COMMENT 'recorded only: nobody is notified',
    muted                  String COMMENT 'by which mute; empty: by none',
    pipeline               LowCardinality(String),
    from_tier              LowCardinality(String) COMMENT 'empty where it is about one tier alone',
    to_tier                LowCardinality(String),
    subject                LowCardinality(String) COMMENT 'what the rule looks at',
    reason                 LowCardinality(String),
    cluster                LowCardinality(String) COMMENT 'where, if all places that are known agree',
    datacenter             LowCardinality(String),
    since                  DateTime64(3, 'UTC') COMMENT 'when it began, by the time of the audit topic' CODEC(Delta, ZSTD(1)),
    fired_at               Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    resolved_at            Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    first_window           Nullable(DateTime('UTC')) COMMENT 'start of the first window that it is about' CODEC(ZSTD(1)),
    windows_end            Nullable(DateTime('UTC')) COMMENT 'end of the last one' CODEC(ZSTD(1)),
    topics                 Array(LowCardinality(String)) COMMENT 'some of those that it is about, with the most messages first',
    affected_topics        Int64 COMMENT 'how many they are',
    windows                Int64 COMMENT 'how many windows it is about',
    messages               UInt64 COMMENT 'in all topics and windows',
    bound                  LowCardinality(String) COMMENT 'of messages: empty is exactly, else at_least, at_most or unbounded',
    summary                String COMMENT 'a line for people' CODEC(ZSTD(3)),
    text                   String COMMENT 'the tiers with their counts, and what to do' CODEC(ZSTD(3)),
    json                   String COMMENT 'the alert as it was said, whole' CODEC(ZSTD(3)),
    written_at             DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (key, state)
COMMENT 'The newest word of each alert in each state that it has had: ask the view alerts, or with FINAL.';

CREATE VIEW IF NOT EXISTS alerts
(
    key                    String COMMENT 'the same as long as the alert lives, and of no other',
    rule                   LowCardinality(String),
    severity               LowCardinality(String) COMMENT 'page, ticket or notice',
    state                  LowCardinality(String) COMMENT 'pending, firing or resolved',
    summary                String,
    class                  LowCardinality(String) COMMENT 'of the topics',
    shadow                 Bool COMMENT 'recorded only: nobody is notified',
    muted                  String COMMENT 'by which mute; empty: by none',
    pipeline               LowCardinality(String),
    from_tier              LowCardinality(String) COMMENT 'empty where it is about one tier alone',
    to_tier                LowCardinality(String),
    subject                LowCardinality(String) COMMENT 'what the rule looks at',
    reason                 LowCardinality(String),
    cluster                LowCardinality(String) COMMENT 'where, if all places that are known agree',
    datacenter             LowCardinality(String),
    since                  DateTime64(3, 'UTC') COMMENT 'when it began, by the time of the audit topic',
    fired_at               Nullable(DateTime64(3, 'UTC')),
    resolved_at            Nullable(DateTime64(3, 'UTC')),
    first_window           Nullable(DateTime('UTC')) COMMENT 'start of the first window that it is about',
    windows_end            Nullable(DateTime('UTC')) COMMENT 'end of the last one',
    topics                 Array(LowCardinality(String)) COMMENT 'some of those that it is about, with the most messages first',
    affected_topics        Int64 COMMENT 'how many they are',
    windows                Int64 COMMENT 'how many windows it is about',
    messages               UInt64 COMMENT 'in all topics and windows',
    bound                  LowCardinality(String) COMMENT 'of messages: empty is exactly, else at_least, at_most or unbounded',
    text                   String COMMENT 'the tiers with their counts, and what to do'
)
AS SELECT
    key, rule, severity, state, summary, class, shadow, muted, pipeline, from_tier, to_tier, subject, reason, cluster, datacenter,
    since, fired_at, resolved_at, first_window, windows_end, topics, affected_topics, windows, messages, bound, text
FROM alert_events FINAL
ORDER BY key, version DESC
LIMIT 1 BY key
COMMENT 'The newest word of each alert. What it said while it was firing is in alert_events.';
