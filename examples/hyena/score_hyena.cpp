// score_hyena: what a model of DNA makes of the records of a FASTA file.
#include <cmath>
#include <map>
#include <optional>
#include <sstream>

#include "distributed/init.h"
#include "examples/hyena/app/format.h"
#include "examples/hyena/app/run_plan.h"
#include "examples/hyena/app/scoring.h"
#include "examples/hyena/app/together.h"
#include "examples/hyena/data/fasta.h"
#include "examples/hyena/data/source.h"
#include "examples/hyena/trainer.h"
#include "framework/base/cli.h"
#include "framework/base/file.h"
#include "framework/base/log.h"
#include "framework/base/output.h"
#include "framework/base/program.h"
#include "framework/io/safetensors.h"
#include "framework/ops/ops.h"

namespace crocuta::hyena {
namespace {

constexpr const char* kDescription =
    "Scores the records of a FASTA file with a model of DNA. Prints a line per record,\n"
    "tab-separated: its name, its bases, the sum and the mean of the log-likelihoods\n"
    "of those that have a prediction (natural logarithm), and bits per base. A\n"
    "record's first base has none, and N is read but not scored.";

constexpr const char* kFooter =
    "Examples:\n"
    "  score_hyena --checkpoint runs/dna --fasta genes.fa\n"
    "  score_hyena --checkpoint runs/dna --fasta genes.fa --per-base > bases.tsv\n"
    "  score_hyena --checkpoint runs/dna --fasta genes.fa --variants variants.tsv\n"
    "  score_hyena --checkpoint runs/dna --fasta genes.fa --embed genes.safetensors\n\n"
    "Variants are lines of record, position (from 1), reference and alternative,\n"
    "separated by tabs; printed is the log-likelihood of the alternative minus that\n"
    "of the reference, in a window around them. Records longer than a window are\n"
    "scored in windows of which each sees the last half of the one before.\n\n"
    "Exit status: 0, 1 if something failed, 2 for options that make no sense.";

struct Call {
  std::string checkpoint, fasta, variants, embed, embed_positions, device = "auto";
  std::int64_t window = 0;
  bool per_base = false;
};

std::optional<Call> read_command_line(int argc, char** argv) {
  Call call;
  CommandLine cli("score_hyena", kDescription, kFooter);
  cli.option("--checkpoint", call.checkpoint, "DIR", "A run's directory, or one of its checkpoints",
             CommandLine::Need::required);
  cli.option("--fasta", call.fasta, "FILE", "The records", CommandLine::Need::required);
  cli.flag("--per-base", call.per_base, "A line per base: record, position, base, log-likelihood");
  cli.option("--variants", call.variants, "TSV", "Score these changes of the records instead");
  cli.option("--embed", call.embed, "OUT",
             "Also write a safetensors file: per record the mean of its hidden states, [d]");
  cli.option("--embed-positions", call.embed_positions, "OUT", "All of its hidden states, [L, d]");
  cli.option("--window", call.window, "N", "Tokens that the model sees at once (its length)", 2,
             1 << 28);
  cli.option("--device", call.device, "DEVICE", "cpu, cuda, cuda:N or auto");
  if (!cli.parse(argc, argv)) return {};
  if (call.per_base && !call.variants.empty()) {
    throw ArgumentError("--per-base: expected to stand without --variants");
  }
  return call;
}

struct Record {
  std::string name;
  std::vector<std::int64_t> tokens;
};

// A model and what numbers its tokens.
struct Scorer {
  HyenaLM& model;
  const Codec& codec;
  ScoreWindows windows;

  double total(const std::vector<std::int64_t>& tokens) const {
    double sum = 0;
    score_sequence(model, tokens, windows, [&](std::int64_t, double value) { sum += value; });
    return sum;
  }
};

std::string number(double value) {
  return significant(value, 9);
}

void score_record(const Scorer& scorer, const Record& record, bool per_base,
                  const HiddenSink& hidden) {
  double sum = 0;
  std::int64_t scored = 0;
  std::string lines;
  const auto base = [&](std::int64_t position, double value) {
    sum += value;
    ++scored;
    if (!per_base) return;
    lines += str(printable(record.name), '\t', position + 1, '\t',
                 scorer.codec.decode({record.tokens[static_cast<std::size_t>(position)]}), '\t',
                 number(value), '\n');
    if (lines.size() < 1 << 16) return;
    print(lines);
    lines.clear();
  };
  score_sequence(scorer.model, record.tokens, scorer.windows, base, hidden);
  if (!per_base) {
    const bool any = scored > 0;
    const double mean = any ? sum / static_cast<double>(scored) : 0;
    lines = str(printable(record.name), '\t', record.tokens.size(), '\t', number(sum), '\t',
                any ? number(mean) : "", '\t', any ? number(-mean / std::log(2.0)) : "", '\n');
  }
  print(lines);
}

struct Variant {
  std::string record;
  std::int64_t position = 0;  // from 0
  std::vector<std::int64_t> reference, alternative;
};

std::vector<Variant> read_variants(const std::string& path, const Codec& codec) {
  std::istringstream in(read_file(path, std::size_t{1} << 30));
  std::vector<Variant> variants;
  std::int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    const std::string where = str(printable(path), ": line ", number, ": ");
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
    if (fields.size() < 4) {
      throw FormatError(str(where,
                            "expected record, position, reference and alternative, with "
                            "tabs between, got ",
                            counted(std::ssize(fields), "field")));
    }
    try {
      const auto bases = [&](const std::string& text) {
        return text == "-" ? std::vector<std::int64_t>() : codec.encode(text);
      };
      variants.push_back({fields[0],
                          parse_whole_number("position", fields[1], 1, std::int64_t{1} << 40) - 1,
                          bases(fields[2]), bases(fields[3])});
    } catch (const ArgumentError& error) {
      throw FormatError(str(where, error.what()));
    }
  }
  return variants;
}

void score_variant(const Scorer& scorer, const Record& record, const Variant& variant) {
  const auto& tokens = record.tokens;
  const std::int64_t size = std::ssize(tokens), at = variant.position;
  const std::int64_t removed = std::ssize(variant.reference);
  if (at + removed > size ||
      !std::equal(variant.reference.begin(), variant.reference.end(), tokens.begin() + at)) {
    const std::int64_t shown = std::clamp<std::int64_t>(size - at, 0, removed);
    throw FormatError(str("variant at ", printable(variant.record), ":", at + 1, ": expected '",
                          scorer.codec.decode(variant.reference), "' there, found '",
                          scorer.codec.decode({tokens.begin() + std::min(at, size),
                                               tokens.begin() + std::min(at, size) + shown}),
                          "'"));
  }
  const std::int64_t longest = std::max(removed, std::ssize(variant.alternative));
  const std::int64_t around = std::max<std::int64_t>(scorer.windows.length - longest, 2);
  const std::int64_t begin = std::max<std::int64_t>(0, at - around / 2);
  const std::int64_t end = std::min(size, at + removed + around / 2);
  std::vector<std::int64_t> reference(tokens.begin() + begin, tokens.begin() + end);
  std::vector<std::int64_t> changed(tokens.begin() + begin, tokens.begin() + at);
  changed.insert(changed.end(), variant.alternative.begin(), variant.alternative.end());
  changed.insert(changed.end(), tokens.begin() + at + removed, tokens.begin() + end);
  print(str(printable(variant.record), '\t', at + 1, '\t', scorer.codec.decode(variant.reference),
            '\t', scorer.codec.decode(variant.alternative), '\t',
            number(scorer.total(changed) - scorer.total(reference)), '\n'));
}

std::vector<Record> read_records(const std::string& path, std::int64_t first) {
  FastaParser parser(path);
  read_source(path, [&](std::string_view text) { parser.feed(text); });
  parser.finish();
  for (const std::string& warning : parser.warnings()) log_warn(warning);
  std::vector<Record> records;
  for (const auto& sequence : parser.sequences()) {
    Record record{sequence.record, {}};
    for (std::int64_t i = sequence.begin; i < sequence.end; ++i) {
      record.tokens.push_back(first + parser.tokens()[static_cast<std::size_t>(i)]);
    }
    records.push_back(std::move(record));
  }
  return records;
}

void score(const Call& call) {
  if (distributed::launched_processes().value_or(1) > 1) {
    throw ArgumentError("scoring is for one process: start score_hyena without mpirun");
  }
  const Checkpoint checkpoint = find_checkpoint(call.checkpoint);
  Config config = stored_config(checkpoint);
  config.set("device", quoted("device", call.device), "--device");
  const Options options = read_options(config);
  if (options.task != "dna") {
    throw ArgumentError(
        str("--checkpoint: expected a model of DNA, got one of task ", options.task));
  }
  const auto codec = make_codec(options.task, options.symbols, options.codec);
  HyenaLM model(model_options(options));
  const std::string path = checkpoint.path("model.safetensors");
  load_or_blame(path, [&] { model.load_state_dict(load_safetensors(path).tensors); });
  const std::int64_t l_max = model.options().hyena.l_max;
  if (call.window > l_max) {
    throw ArgumentError(
        str("--window: expected at most the model's length, ", l_max, ", got ", call.window));
  }
  const std::int64_t length = call.window > 0 ? call.window : l_max;
  const Scorer scorer{model, *codec, {.length = length, .overlap = length / 2}};

  const std::vector<Record> records = read_records(call.fasta, codec->predicted().first);
  if (!call.variants.empty()) {
    const std::vector<Variant> variants = read_variants(call.variants, *codec);
    std::map<std::string, const Record*> by_name;
    for (const Record& record : records) by_name.emplace(record.name, &record);
    print("record\tposition\treference\talternative\tlog_likelihood_ratio\n");
    for (const Variant& variant : variants) {
      const auto found = by_name.find(variant.record);
      if (found == by_name.end()) {
        throw FormatError(str(printable(call.variants), ": record '", printable(variant.record),
                              "' is not in ", printable(call.fasta)));
      }
      score_variant(scorer, *found->second, variant);
    }
    return;
  }
  print(call.per_base ? "record\tposition\tbase\tlog_likelihood\n"
                      : "record\ttokens\tlog_likelihood\tmean_log_likelihood\tbits_per_base\n");
  StateDict means, all;
  for (const Record& record : records) {
    Tensor sum;
    std::vector<Tensor> rows;
    const auto hidden = [&](std::int64_t, const Tensor& part) {
      const Tensor wide = part.to(DType::float64).to(Device::cpu());
      const Tensor total = crocuta::sum(wide, 0);
      sum = sum.defined() ? sum + total : total;
      if (!call.embed_positions.empty()) rows.push_back(part.to(DType::float32).to(Device::cpu()));
    };
    const bool embeds = !call.embed.empty() || !call.embed_positions.empty();
    score_record(scorer, record, call.per_base, embeds ? HiddenSink(hidden) : HiddenSink());
    if (!embeds) continue;
    if (means.count(record.name) == 1) {
      throw FormatError(
          str(printable(call.fasta), ": two records are called '", printable(record.name), "'"));
    }
    means[record.name] = (sum * (1 / static_cast<double>(record.tokens.size()))).to(DType::float32);
    if (!rows.empty()) all[record.name] = cat(rows, 0);
  }
  if (!call.embed.empty()) save_safetensors(call.embed, means);
  if (!call.embed_positions.empty()) save_safetensors(call.embed_positions, all);
}

}  // namespace
}  // namespace crocuta::hyena

int main(int argc, char** argv) {
  using namespace crocuta;
  begin_program("score_hyena", argv[0]);
  try {
    const auto call = hyena::read_command_line(argc, argv);
    if (call) hyena::score(*call);
    return 0;
  } catch (const std::exception& error) {
    log_error(hyena::message_of(error));
    return hyena::exit_status(error);
  }
}
