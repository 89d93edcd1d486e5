-- Power sums of moments: with them altered messages are told from lost and doubled ones.

ALTER TABLE audit_records
    ADD COLUMN IF NOT EXISTS moment_sums Array(UInt64) COMMENT 'S1..S7 modulo 2^61-1 of hashes of key and event time; empty or zeros: not kept' AFTER power_sums;

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
