-- What a partition holds beyond the end that readers see: open transactions. Rows of
-- before do not know.

ALTER TABLE audit_events
    ADD COLUMN IF NOT EXISTS sources.high_watermark Array(Int64) DEFAULT arrayMap(p -> toInt64(-1), sources.partition) AFTER sources.end;
