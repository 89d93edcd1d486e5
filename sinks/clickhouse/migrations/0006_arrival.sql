-- The view latency says arrival too, which the table has had from the first.

CREATE OR REPLACE VIEW latency
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
    negative_ms          Int64 COMMENT '... by at most so much',
    arrivals             UInt64 COMMENT 'messages whose arrival is in the next columns: of those read as they were written',
    arrival_p50_ms       Float64 COMMENT 'of the time from the event to the moment at which the auditor read the message',
    arrival_p95_ms       Float64,
    arrival_p99_ms       Float64,
    arrival_max_ms       Int64 COMMENT 'exact',
    negative_arrivals    UInt64 COMMENT 'messages read before they happened: two clocks disagree'
)
AS SELECT
    topic, window, window_start, window_size, tier, datacenter,
    arraySum(mapValues(bins)) AS latencies,
    if(latencies = 0, 0, latency_sum / latencies) AS mean_ms,
    quantiles[1] AS p50_ms, quantiles[2] AS p90_ms, quantiles[3] AS p95_ms, quantiles[4] AS p99_ms, quantiles[5] AS p999_ms,
    max_ms, negative_latencies, negative_ms,
    arraySum(mapValues(arrival_bins)) AS arrivals,
    arrival_quantiles[1] AS arrival_p50_ms, arrival_quantiles[2] AS arrival_p95_ms, arrival_quantiles[3] AS arrival_p99_ms,
    arrival_max_ms, negative_arrivals
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
            [0.5, 0.9, 0.95, 0.99, 0.999]) AS quantiles,
        max(a.arrival_max) AS arrival_max_ms,
        sum(a.negative_arrivals) AS negative_arrivals,
        sumMap(a.arrival_bins) AS arrival_bins,
        arrayCumSum(mapValues(arrival_bins)) AS arrival_ranks,
        arrayMap(b -> if(b < 0, 0, 2 * pow(1.02, b) / 2.02), mapKeys(arrival_bins)) AS arrival_values,
        arrayMap(q -> if(empty(arrival_ranks), 0, least(toFloat64(arrival_max_ms), arrival_values[arrayFirstIndex(r -> r >= ceil(q * arrival_ranks[-1]), arrival_ranks)])),
            [0.5, 0.95, 0.99]) AS arrival_quantiles
    FROM audit AS a
    GROUP BY topic, window, window_start, window_size, tier, datacenter
)
COMMENT 'Latency in each window of a topic by tier and datacenter, in milliseconds, percentiles within 1 %; arrival is up to the moment of reading, by which tiers are compared. Percentiles of several rows must not be averaged: for a whole tier see windows.';
