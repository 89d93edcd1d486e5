-- What an application instance says of itself besides: what it did not count, and
-- how long it may be silent.

ALTER TABLE audit_records
    ADD COLUMN IF NOT EXISTS client_uncounted UInt64 COMMENT 'messages of all topics that passed and are in no record' CODEC(T64, ZSTD(1)) AFTER client_records,
    ADD COLUMN IF NOT EXISTS client_every Int64 COMMENT 'ms, the longest silence; 0 not known' CODEC(T64, ZSTD(1)) AFTER client_uncounted;

ALTER TABLE audit_events
    ADD COLUMN IF NOT EXISTS client_uncounted UInt64 COMMENT 'messages of all topics that passed and are in no record' AFTER client_records,
    ADD COLUMN IF NOT EXISTS client_every Int64 COMMENT 'hello and progress: ms, the longest silence; 0 not known' AFTER client_uncounted;

-- Again, because a view keeps the columns that its tables had when it was made.
CREATE OR REPLACE VIEW audit AS
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
