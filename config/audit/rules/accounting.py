"""6. Queue accounting: the counters equal a full scan, and nothing is trimmed that somebody still needs."""

from __future__ import annotations

from config.audit.rule import Check, Rule

RULE = Rule(
    number=6,
    name="queue accounting: counters equal a full scan",
    counted="SELECT count(*) FROM entries",
    checks=(
        Check("""
            SELECT format('%s/%s: %s appended by the counter, %s by Redis', topic, partition, appended, ever_added)
            FROM partitions WHERE appended <> ever_added"""),
        Check("""
            SELECT format('%s/%s, %s: %s acknowledged by the counter; %s appended - %s skipped - %s pending - %s'
                          ' undelivered', topic, partition, name, acked, ever_added, skipped, pending, undelivered)
            FROM scan WHERE acked <> ever_added - skipped - pending - undelivered"""),
        Check("""
            SELECT format('%s/%s, %s: %s done + %s held by the group + %s purged, but %s acknowledged + %s moved'
                          ' here', topic, partition, name, done, held, purged,
                          ever_added - skipped - pending - undelivered, moved)
            FROM scan WHERE done + held + purged <> ever_added - skipped - pending - undelivered + moved"""),
        Check("""
            SELECT format('%s/%s, %s: %s purged by the counter, %s messages named', topic, partition, name, purged,
                          named)
            FROM groups LEFT JOIN LATERAL (
              SELECT count(*) AS named FROM marks m
              WHERE (m.topic, m.partition, m.name, m.mark) = (groups.topic, groups.partition, groups.name, 'purged')) n
              ON true
            WHERE purged < named OR (purged > 0 AND named = 0)"""),
        Check("""
            SELECT format('%s/%s, %s: message %s is quarantined and not dead', topic, partition, name, message_id)
            FROM marks m LEFT JOIN held h USING (topic, partition, name, message_id)
            WHERE m.mark = 'quarantined' AND h.set_ IS DISTINCT FROM 'dead'"""),
        Check("""
            SELECT format('%s/%s: %s appended, but %s in the log + %s trimmed', topic, partition, ever_added, length,
                          trimmed)
            FROM partitions WHERE ever_added <> length + trimmed"""),
        Check("""
            SELECT format('%s/%s: %s scheduled + %s moved here, but %s promoted + %s cancelled + %s waiting', topic,
                          partition, scheduled, moved, promoted, cancelled, waiting)
            FROM partitions LEFT JOIN LATERAL (
              SELECT count(*) AS waiting FROM later v
              WHERE (v.topic, v.partition) = (partitions.topic, partitions.partition)
                AND v.set_ IN ('later', 'leaving')) w ON true
            WHERE scheduled + moved <> promoted + cancelled + waiting"""),
        Check("""
            SELECT format('%s/%s: %s promoted by the counter, %s delayed entries in the log', topic, partition,
                          promoted, found)
            FROM partitions LEFT JOIN LATERAL (
              SELECT count(*) AS found FROM entries e WHERE e.fenced AND e.due_ms IS NOT NULL
                AND (e.topic, e.partition) = (partitions.topic, partitions.partition)) f ON true
            WHERE promoted < found OR (promoted > found AND length = ever_added)"""),
        Check("""
            SELECT format('%s/%s: message %s came %s ms before it was due', topic, partition, message_id,
                          due_ms - position / 1000000)
            FROM entries WHERE position / 1000000 < due_ms"""),
        Check("""
            SELECT format('%s/%s: delayed message %s is only in %s', topic, partition, message_id, min(set_))
            FROM later WHERE set_ <> 'leaving' GROUP BY topic, partition, message_id HAVING count(*) <> 2"""),
        Check("""
            SELECT format('%s/%s: entries up to %s were deleted one by one, which only a mistake does', topic,
                          partition, last_deleted)
            FROM partitions WHERE last_deleted <> '0-0'"""),
        Check("""
            SELECT format('%s/%s: entry %s of key %s was appended there, and the key belongs to %s', topic, partition,
                          position, key, belongs)
            FROM misplaced"""),
        Check("""
            SELECT format('%s/%s, %s: entry %s is pending and gone from the log', w.topic, w.partition, w.name,
                          w.position)
            FROM pending w LEFT JOIN entries e USING (topic, partition, position) WHERE e.position IS NULL"""),
        Check("""
            SELECT format('%s/%s, %s: message %s is in %s', topic, partition, name, message_id,
                          string_agg(set_, ' and ' ORDER BY set_))
            FROM held GROUP BY topic, partition, name, message_id HAVING count(*) > 1"""),
        Check("""
            SELECT format('%s/%s, %s: message %s is parked behind nobody: it never comes', topic, partition, name,
                          h.message_id)
            FROM held h JOIN envelopes v USING (topic, partition, name, message_id)
            WHERE h.set_ = 'parked' AND NOT EXISTS (
              SELECT FROM heads f JOIN held b USING (topic, partition, name, message_id)
              WHERE (f.topic, f.partition, f.name, f.key) = (h.topic, h.partition, h.name, v.key)
                AND b.set_ <> 'parked')"""),
        Check("""
            SELECT format('%s/%s, %s: message %s: %s', topic, partition, name, message_id,
                          CASE WHEN h.set_ IS NULL THEN 'an envelope in ' || v.set_ || ' that no set names'
                               ELSE 'in ' || h.set_ || ' without its envelope' END)
            FROM held h FULL JOIN envelopes v USING (topic, partition, name, message_id)
            WHERE h.set_ IS NULL OR v.set_ IS NULL OR (h.set_ = 'dead') <> (v.set_ = 'graves')
              OR (h.set_ = 'leaving') <> (v.set_ = 'leaving')"""),
    ),
)
