// Writes java.json: what Apache Avro makes of the schemas here. See README.md.

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Conversion;
import org.apache.avro.Schema;
import org.apache.avro.data.TimeConversions;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.message.BinaryMessageEncoder;

public class Generate {
  // The same as in generate.py.
  static final String[] INSTANTS = {
    "2026-11-21T18:20:00.123456Z",
    "2001-09-09T01:46:39.999999Z",
    "1970-01-01T00:00:00.000000Z",
    "1969-12-31T23:59:59.998001Z",
    "1901-02-03T04:05:06.789000Z",
  };

  static final Map<String, Conversion<?>> CONVERSIONS = new LinkedHashMap<>();

  static {
    for (Conversion<?> c : List.of(
        new TimeConversions.TimestampMillisConversion(), new TimeConversions.TimestampMicrosConversion(),
        new TimeConversions.TimestampNanosConversion(), new TimeConversions.LocalTimestampMillisConversion(),
        new TimeConversions.LocalTimestampMicrosConversion(), new TimeConversions.LocalTimestampNanosConversion())) {
      CONVERSIONS.put(c.getLogicalTypeName(), c);
    }
  }

  final String text;
  final Instant instant;
  final boolean nothing; // where a time may be null, it is
  Long ms;

  Generate(String text, boolean nothing) {
    this.text = text;
    this.instant = Instant.parse(text);
    this.nothing = nothing;
  }

  long nanos() {
    return Math.addExact(Math.multiplyExact(instant.getEpochSecond(), 1_000_000_000L), instant.getNano());
  }

  Object time(Schema s) {
    long exact = instant.toEpochMilli();
    Object v;
    if (s.getLogicalType() != null) {
      String name = s.getLogicalType().getName();
      if (name.endsWith("-nanos") && instant.getEpochSecond() < 0) {
        v = nanos(); // TimestampNanosConversion of 1.12.1 is wrong before 1970: it takes 10^6 for 10^9
      } else if (name.startsWith("local-")) {
        v = convert(s, LocalDateTime.ofInstant(instant, ZoneOffset.UTC));
      } else {
        v = convert(s, instant);
      }
    } else if (s.getType() == Schema.Type.STRING) {
      v = text;
    } else if (s.getType() == Schema.Type.DOUBLE) {
      double x = nanos() / 1000 / 1e6;
      v = x;
      exact = new BigDecimal(Double.toString(x)).movePointRight(3).setScale(0, RoundingMode.FLOOR).longValueExact();
    } else {
      v = instant.getEpochSecond();
      exact = instant.getEpochSecond() * 1000;
    }
    if (ms == null) {
      ms = exact;
    }
    return v;
  }

  @SuppressWarnings("unchecked")
  static <T> Object convert(Schema s, T time) {
    Conversion<T> c = (Conversion<T>) CONVERSIONS.get(s.getLogicalType().getName());
    return c.toLong(time, s, s.getLogicalType());
  }

  Object value(Schema s, String field, int depth) {
    if (s.isUnion()) {
      if (nothing && List.of("ts", "created").contains(field) || depth > 3) {
        return null;
      }
      List<Schema> branches = new ArrayList<>(s.getTypes());
      branches.removeIf(b -> b.getType() == Schema.Type.NULL);
      return value(branches.get(branches.size() - 1), field, depth);
    }
    if (List.of("ts", "timestamp", "created", "occurred_at").contains(field)) {
      return time(s);
    }
    switch (s.getType()) {
      case RECORD: {
        GenericData.Record r = new GenericData.Record(s);
        for (Schema.Field f : s.getFields()) {
          r.put(f.pos(), value(f.schema(), f.name(), depth + 1));
        }
        return r;
      }
      case ARRAY: {
        List<Object> list = new ArrayList<>();
        for (int i = 0; i < (depth > 3 ? 0 : 5); i++) {
          list.add(value(s.getElementType(), "", depth + 1));
        }
        return list;
      }
      case MAP: {
        Map<String, Object> map = new LinkedHashMap<>();
        for (String k : List.of("one", "two", "three")) {
          map.put(k, value(s.getValueType(), "", depth + 1));
        }
        return map;
      }
      case BOOLEAN:
        return true;
      case INT:
        return -1234567;
      case LONG:
        return 1L << 40;
      case FLOAT:
        return 1.5f;
      case DOUBLE:
        return -2.25;
      case BYTES: {
        byte[] b = new byte[200];
        for (int i = 0; i < b.length; i++) {
          b[i] = (byte) i;
        }
        return ByteBuffer.wrap(b);
      }
      case STRING:
        return "grüße";
      case FIXED:
        return new GenericData.Fixed(s, new byte[s.getFixedSize()]);
      case ENUM:
        return new GenericData.EnumSymbol(s, "SENT");
      default:
        return null;
    }
  }

  static byte[] encode(Schema s, Object v, boolean blocks) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    // The blocking encoder writes how many bytes each block has.
    BinaryEncoder e = blocks
        ? new EncoderFactory().configureBlockSize(64).blockingBinaryEncoder(out, null)
        : EncoderFactory.get().binaryEncoder(out, null);
    new GenericDatumWriter<Object>(s).write(v, e);
    e.flush();
    return out.toByteArray();
  }

  public static void main(String[] args) throws IOException {
    Path here = Path.of(args[0]);
    List<Path> paths = new ArrayList<>();
    try (var list = Files.newDirectoryStream(here.resolve("schemas"), "*.avsc")) {
      list.forEach(paths::add);
    }
    paths.sort(null);
    List<String> cases = new ArrayList<>();
    for (Path path : paths) {
      Schema s = new Schema.Parser().parse(Files.readString(path));
      for (String instant : INSTANTS) {
        String last = "";
        for (boolean nothing : new boolean[] {false, true}) {
          Generate g = new Generate(instant, nothing);
          Object v = g.value(s, "", 0);
          byte[] datum = encode(s, v, false);
          String hex = HexFormat.of().formatHex(datum);
          if (hex.equals(last)) {
            continue; // no time that could be null
          }
          last = hex;
          Map<String, String> all = new LinkedHashMap<>();
          all.put("raw", hex);
          if (instant.equals(INSTANTS[0])) {
            String blocks = HexFormat.of().formatHex(encode(s, v, true));
            if (!blocks.equals(hex)) {
              all.put("raw, in blocks", blocks);
            }
            all.put("registry", "0000000007" + hex);
            ByteBuffer single = new BinaryMessageEncoder<Object>(new GenericData(), s).encode(v);
            all.put("single_object", HexFormat.of().formatHex(single.array(), single.position(), single.limit()));
          }
          all.forEach((framing, bytes) -> cases.add(String.format(
              "{\"schema\": \"%s\", \"instant\": \"%s\", \"null\": %b, \"framing\": \"%s\", \"hex\": \"%s\", \"ms\": %s}",
              path.getFileName(), instant, nothing, framing, bytes, g.ms)));
        }
      }
    }
    Files.writeString(here.resolve("java.json"), "[\n" + String.join(",\n", cases) + "\n]\n");
  }
}
