-- The name that a topic has on its cluster, where it is counted under another one.

ALTER TABLE audit_records
    ADD COLUMN IF NOT EXISTS physical_topic LowCardinality(String) COMMENT 'name of the topic on the cluster, if it is renamed; else empty' AFTER host;

ALTER TABLE audit_events
    ADD COLUMN IF NOT EXISTS physical_topic LowCardinality(String) COMMENT 'name of the topic on the cluster, if it is renamed; else empty' AFTER host;

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
