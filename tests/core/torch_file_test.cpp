// Oracle: what each hand-made pickle says by the rules of Python's pickle, and why it must not be believed.
// (What Python's torch reads and writes is compared in archive_test.cpp and torch_interchange.)
#include "plumb/core/torch_file.hpp"

#include <algorithm>

#include "support/catch.hpp"

#include "plumb/core/bytes.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/stored_zip.hpp"

using namespace plumb;

namespace {

/// Pieces of a pickle of protocol 2.
template <size_t N>
std::string raw(const char (&bytes)[N]) {  // zeros included
  return {bytes, N - 1};
}
std::string pickle_text(std::string_view text) {
  std::string bytes = "X";
  append_little_endian(bytes, static_cast<uint32_t>(text.size()));
  return bytes.append(text);
}
std::string pickle_integer(int64_t value) {
  std::string bytes = "\x8a\x08";
  append_little_endian(bytes, static_cast<uint64_t>(value));
  return bytes;
}
std::string pickle_tuple(const std::vector<int64_t>& values) {
  std::string bytes = "(";
  for (const int64_t value : values) bytes += pickle_integer(value);
  return bytes + "t";
}
std::string whole(const std::string& body) { return "\x80\x02" + body + "."; }
/// {"w": value}
std::string named_w(const std::string& value) { return whole("}" + pickle_text("w") + value + "s"); }

const std::string ordered_dict = "ccollections\nOrderedDict\n)R";
const std::string rebuild = "ctorch._utils\n_rebuild_tensor_v2\n";
const std::string floats = "ctorch\nFloatStorage\n";

std::string storage_of(const std::string& type, std::string_view key, int64_t count) {
  return "(" + pickle_text("storage") + type + pickle_text(key) + pickle_text("cpu") + pickle_integer(count) +
         "tQ";
}
std::string tensor_of(const std::string& storage, const std::string& offset, const std::string& sizes,
                      const std::string& strides, const std::string& more = "") {
  return rebuild + "(" + storage + offset + sizes + strides + "\x89" + ordered_dict + more + "tR";
}
/// A view of six floats.
std::string view_of(int64_t offset, const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
  return tensor_of(storage_of(floats, "0", 6), pickle_integer(offset), pickle_tuple(sizes),
                   pickle_tuple(strides));
}

/// A file of this pickle with three storages: 24 zero bytes, {0, 1, 2} and none.
std::string file_of(std::string_view pickle) {
  static const std::string zeros(24, '\0');
  return write_stored_zip({make_zip_entry("a/data.pkl", pickle), make_zip_entry("a/data/0", zeros),
                           make_zip_entry("a/data/1", {"\0\1\2", 3}), make_zip_entry("a/data/2", {})});
}

std::string refusal_of_pickle(std::string_view pickle) {
  try {
    const std::string file = file_of(pickle);
    read_torch_file(file);
  } catch (const DataError& error) {
    return error.what();
  }
  return "it was read";
}

std::string nested(int levels, std::string_view open, std::string_view close) {
  std::string bytes;
  for (int i = 0; i < levels; ++i) bytes += open;
  for (int i = 0; i < levels; ++i) bytes += close;
  return bytes;
}

struct Hostile {
  std::string what, pickle, says;
};

}  // namespace

TEST_CASE("instructions that torch.save does not use are refused by name", "[core][torch_file]") {
  for (const unsigned char opcode :
       std::string("02iolpdgILFSVTUBCP\x81\x82\x83\x84\x8b\x8c\x8d\x8e\x8f\x90\x91\x92"
                   "\x93\x94\x95\x96\x97\x98\xff")) {
    const std::string pickle = "\x80\x02}" + std::string(1, static_cast<char>(opcode)) + "\1\n\n.";
    INFO("opcode " << int{opcode});
    CHECK_THAT(refusal_of_pickle(pickle), ContainsSubstring("is none that torch.save uses"));
  }
}

TEST_CASE("pickles that name foreign classes and functions are refused by name", "[core][torch_file]") {
  for (const std::string name :
       {"os system", "posix system", "nt system", "builtins eval", "builtins exec", "__builtin__ apply",
        "subprocess Popen", "torch load", "torch._utils _rebuild_tensor_v3", "torch._utils _rebuild_qtensor",
        "torch._utils _rebuild_sparse_tensor", "numpy.core.multiarray _reconstruct", "__main__ Net",
        "torch.nn.modules.linear Linear", "collections defaultdict", "torch float32",
        "torch.storage UntypedStorage", "torch.jit._pickle build_intlist", "torch QInt8Storage"}) {
    std::string lines = name, dotted = name;
    std::replace(lines.begin(), lines.end(), ' ', '\n');
    std::replace(dotted.begin(), dotted.end(), ' ', '.');
    CHECK_THAT(refusal_of_pickle(named_w("c" + lines + "\n" + pickle_text("echo") + "\x85R")),
               ContainsSubstring("it names " + dotted + ", which is none of what plumb reads"));
  }
}

TEST_CASE("hand-made pickles are refused with the reason", "[core][torch_file]") {
  const std::string scalar = view_of(0, {}, {});
  const std::vector<Hostile> cases{
      {"nothing", "", "it is cut off"},
      {"a protocol alone", "\x80\x02", "it is cut off"},
      {"no stop", "\x80\x02}", "it is cut off"},
      {"protocol 0", "(dp0\n.", "it is not of protocol 2"},
      {"protocol 4", "\x80\x04}.", "it is not of protocol 2"},
      {"no value", "\x80\x02.", "it ends with 0 values"},
      {"two values", whole("}}"), "it ends with 2 values"},
      {"an open mark", whole("(}"), "it ends with 1 values"},
      {"more after the end", whole("}") + "N", "bytes follow its end"},
      {"a name without an end",
       "\x80\x02"
       "ccollections\nOrderedDict",
       "it is cut off"},
      {"a name on one line", whole("ccollections OrderedDict\n\n"), "it names"},
      {"a call of a text", named_w(pickle_text("eval") + ")R"), "what is called is not a named function"},
      {"a call without a tuple", named_w("ccollections\nOrderedDict\n]R"),
       "what is called is not a named function"},
      {"a call of nothing", whole(")R"), "its stack is empty"},
      {"a storage class called", named_w(floats + ")R"), "is called in a way that torch.save does not"},
      {"an OrderedDict of something", named_w("ccollections\nOrderedDict\n]\x85R"), "is called in a way"},
      {"a tensor of too few arguments", named_w(rebuild + "(NNNNNtR"), "is called in a way"},
      {"a parameter of a number",
       named_w("ctorch._utils\n_rebuild_parameter\n(K\1\x89" + ordered_dict + "tR"),
       "a parameter that is not made of a tensor"},
      {"items set in a tensor", named_w(scalar + pickle_text("a") + "Ns"),
       "items are set in what is not a dict"},
      {"attributes of a dict", whole("}}b"), "attributes are set that are not a dict, or of no object"},
      {"attributes that are a list", whole(ordered_dict + "]b"), "attributes are set that are not a dict"},
      {"attributes of nothing", whole("}b"), "its stack is empty"},
      {"an empty place of the memo", whole(raw("h\0")), "place 0 of its memo is empty"},
      {"a far place of the memo", whole("}j\xff\xff\xff\xff"), "place 4294967295 of its memo is empty"},
      {"a memo with a gap", whole("}q\1"), "place 1 of its memo is not the next one"},
      {"a memo of four billion", whole("}r\xff\xff\xff\xff"),
       "place 4294967295 of its memo is not the next one"},
      {"a memo written twice", whole(raw("}q\0q\0")), "place 0 of its memo is not the next one"},
      {"a memo of nothing", whole(raw("q\0")), "its stack is empty"},
      {"a text of four billion bytes",
       whole("X\xff\xff\xff\xff"
             "abc"),
       "it is cut off"},
      {"half a number", "\x80\x02G\1\2", "it is cut off"},
      {"a whole number of nine bytes",
       named_w("\x8a\x09"
               "123456789"),
       "a whole number is beyond 64 bits"},
      {"a whole number of 255 bytes",
       whole("\x8a\xff"
             "1"),
       "a whole number is beyond 64 bits"},
      {"an item of a list", whole("]" + pickle_text("a") + "Ns"), "what items are set in is not a dict"},
      {"a key without a value", whole("}(" + pickle_text("a") + "u"), "a key has no value"},
      {"items without a mark", whole("}" + pickle_text("a") + "Nu"), "there is no mark"},
      {"an element of a dict", whole("}Na"), "what is appended to is not a list"},
      {"elements without a mark", whole("]Ne"), "there is no mark"},
      {"a tuple without a mark", whole("Nt"), "there is no mark"},
      {"a tuple of two from one", whole("N\x86"), "its stack is empty"},
      {"a tuple across a mark", whole("N(\x85"), "its stack is empty"},
      {"a persistent identifier of nothing", whole("Q"), "its stack is empty"},
      {"two million values", whole("(" + std::string(2'000'000, 'N') + "t"),
       "it has more than 1000000 values"},
      {"a dict that holds itself", whole("}" + raw("q\0") + pickle_text("a") + raw("h\0s")),
       "or hold themselves"},
      {"two dicts that hold each other",
       whole("}" + raw("q\0") + pickle_text("a") + "}q\1" + pickle_text("b") + raw("h\0ss")),
       "or hold themselves"},
      {"65 dicts in each other", whole(nested(66, "}" + pickle_text("a"), "") + "N" + nested(66, "", "s")),
       "values nest deeper than 64 levels"},
      {"100,000 dicts in each other",
       whole(nested(100'000, "}" + pickle_text("a"), "") + "N" + nested(100'000, "", "s")),
       "values nest deeper than 64 levels"},
      {"a parameter of a parameter of ...",
       whole(nested(1000, "ctorch._utils\n_rebuild_parameter\n(", "") + scalar + nested(1000, "", "\x89}tR")),
       "values nest deeper than 64 levels"},
      {"one name twice", whole("}" + pickle_text("a") + "Ns" + pickle_text("a") + "Ns"),
       "its entry 'a': its name is there twice"},
      {"a list", whole("]"), "it holds a list and not a dict of named values"},
      {"a list that holds itself", whole(raw("]q\0h\0a")), "it holds a list and not a dict"},
      {"lists in each other", whole(nested(100'000, "]", "") + nested(99'999, "", "a")),
       "it holds a list and not a dict"},
      {"a tensor alone", whole(scalar), "it holds a single value and not a dict"},
      {"nothing at all", whole("N"), "it holds None and not a dict"},
      {"a dict of numbers", whole("}K\1Ns"), "it holds a dict whose keys are not texts"},
      {"a storage that is not there",
       named_w(tensor_of(storage_of(floats, "9", 6), "K" + raw("\0"), ")", ")")),
       "there is no entry 'a/data/9'"},
      {"a storage elsewhere",
       named_w(tensor_of(storage_of(floats, "../data.pkl", 6), "K" + raw("\0"), ")", ")")),
       "there is no entry 'a/data/../data.pkl'"},
      {"a storage of a long name",
       named_w(tensor_of(storage_of(floats, std::string(1 << 20, 'x'), 6), "K\1", ")", ")")),
       "there is no entry 'a/data/xxxx"},
      {"a storage with too many elements", named_w(tensor_of(storage_of(floats, "0", 7), "K\1", ")", ")")),
       "the storage has 24 bytes in the file, and should have 7 elements of 4"},
      {"a storage with 2^62 elements",
       named_w(tensor_of(storage_of(floats, "0", int64_t{1} << 62), "K\1", ")", ")")),
       "the storage has 24 bytes in the file"},
      {"a storage with -6 elements", named_w(tensor_of(storage_of(floats, "0", -6), "K\1", ")", ")")),
       "is negative"},
      {"a storage of half an element",
       named_w(tensor_of(storage_of("ctorch\nShortStorage\n", "1", 1), "K\1", ")", ")")),
       "the storage has 3 bytes in the file"},
      {"a storage of another class",
       named_w(tensor_of(storage_of("ctorch\nSize\n", "0", 6), "K\1", ")", ")")),
       "the tensor's storage is of no class of storages"},
      {"a storage of a text", named_w(tensor_of(pickle_text("0"), "K\1", ")", ")")),
       "is not named as torch.save does"},
      {"a storage named by a text", named_w(tensor_of(pickle_text("0") + "Q", "K\1", ")", ")")),
       "is not named as"},
      {"a storage named by four things", named_w(tensor_of("(NNNNtQ", "K\1", ")", ")")),
       "is not named as torch.save does"},
      {"a module in place of a storage",
       named_w(
           tensor_of("(" + pickle_text("module") + floats + pickle_text("0") + pickle_text("cpu") + "K\6tQ",
                     "K\1", ")", ")")),
       "is not named as torch.save does"},
      {"a truth value of 2", named_w(tensor_of(storage_of("ctorch\nBoolStorage\n", "1", 3), "K\1", ")", ")")),
       "neither 0 nor 1"},
      {"a storage of two types",
       whole("}" + pickle_text("a") + scalar + "s" + pickle_text("b") +
             tensor_of(storage_of("ctorch\nIntStorage\n", "0", 6), "K\1", ")", ")") + "s"),
       "has elements of another type elsewhere"},
      {"a view past the end", named_w(view_of(0, {7}, {1})), "reaches to element 6 of a storage of 6"},
      {"a view past the end by its offset", named_w(view_of(1, {6}, {1})),
       "reaches to element 6 of a storage of 6"},
      {"a view past the end by its strides", named_w(view_of(0, {2, 3}, {4, 1})),
       "reaches to element 6 of a storage of 6"},
      {"a number past the end", named_w(view_of(6, {}, {})), "reaches to element 6 of a storage of 6"},
      {"a number of an empty storage",
       named_w(tensor_of(storage_of(floats, "2", 0), "K" + raw("\0"), ")", ")")),
       "reaches to element 0 of a storage of 0"},
      {"no elements past the end", named_w(view_of(7, {0}, {1})), "of a storage of 6"},
      {"a negative stride", named_w(view_of(5, {6}, {-1})), "is negative"},
      {"a negative size", named_w(view_of(0, {-6}, {1})), "is negative"},
      {"two negative sizes", named_w(view_of(0, {-2, -3}, {1, 1})), "is negative"},
      {"a negative offset", named_w(view_of(-1, {6}, {1})), "is negative"},
      {"sizes whose product wraps to 0", named_w(view_of(0, {int64_t{1} << 32, int64_t{1} << 32}, {0, 0})),
       "beyond 64 bits"},
      {"sizes whose product wraps to 4", named_w(view_of(0, {int64_t{1} << 62, 8}, {0, 0})),
       "beyond 64 bits"},
      {"a stride that wraps", named_w(view_of(0, {3}, {int64_t{1} << 62})), "beyond 64 bits"},
      {"an offset that wraps", named_w(view_of(INT64_MAX, {2}, {1})), "beyond 64 bits"},
      {"no elements of sizes beyond numbers", named_w(view_of(0, {0, int64_t{1} << 62, 4}, {1, 1, 1})),
       "beyond 64 bits"},
      {"fewer strides than sizes", named_w(view_of(0, {2, 3}, {1})), "other numbers of sizes and strides"},
      {"six numbers repeated to a billion", named_w(view_of(0, {1'000'000'000}, {0})),
       "repeats the 6 elements of its storage"},
      {"sizes that are a list", named_w(tensor_of(storage_of(floats, "0", 6), "K\1", "]", ")")),
       "are not a tuple"},
      {"a size that is a truth value",
       named_w(tensor_of(storage_of(floats, "0", 6), "K\1", "\x88\x85", "K\1\x85")),
       "negative or no whole number"},
      {"a size that is 1.5",
       named_w(tensor_of(storage_of(floats, "0", 6), "K\1", raw("G?\xf8\0\0\0\0\0\0\x85"), "K\1\x85")),
       "negative or no whole number"},
      {"65 axes", named_w(view_of(0, std::vector<int64_t>(65, 1), std::vector<int64_t>(65, 1))),
       "a tuple of at most 64"},
      {"a lazy conjugate",
       named_w(tensor_of(storage_of(floats, "0", 6), "K\1", ")", ")", "}" + pickle_text("conj") + "\x88s")),
       "a lazy conjugate or negative"},
  };
  CHECK(cases.size() >= 60);
  for (const Hostile& hostile : cases) {
    INFO(hostile.what);
    CHECK_THAT(refusal_of_pickle(hostile.pickle), ContainsSubstring(hostile.says));
  }
}

TEST_CASE("values that hold one another 2^60 times are refused in no time", "[core][torch_file]") {
  // As the last entry of a dict, so that somebody looks at it.
  std::string bytes = "}" + raw("q\0");
  for (int i = 0; i < 60; ++i) {
    const auto place = static_cast<char>(i);
    bytes = "}" + pickle_text("a") + bytes + "s" + pickle_text("b") + "h" + place + "sq" +
            static_cast<char>(i + 1);
  }
  CHECK_THAT(refusal_of_pickle(whole(bytes)), ContainsSubstring("its values hold each other too many times"));
  // A long name that is met again and again.
  std::string names = "}" + pickle_text(std::string(100'000, 'n')) + raw("q\0") + "}" + raw("h\0Nss");
  for (int i = 0; i < 1000; ++i) names += pickle_text(std::to_string(i)) + "}" + raw("h\0Nss");
  CHECK_THAT(refusal_of_pickle(whole(names)), ContainsSubstring("its values hold each other too many times"));
}

TEST_CASE("views, parameters and values of other kinds are read as they are", "[core][torch_file]") {
  const std::string parameter =
      "ctorch._utils\n_rebuild_parameter\n(" + view_of(1, {2, 2}, {1, 2}) + "\x88" + ordered_dict + "tR";
  const std::string file = file_of(whole(
      ordered_dict + "(" + pickle_text("p") + parameter + pickle_text("e") + view_of(6, {0, 3}, {3, 1}) +
      pickle_text("wide") + view_of(5, {100}, {0}) + pickle_text("l") + "](NNe" + pickle_text("n") + "N" +
      pickle_text("i") + pickle_integer(INT64_MIN) + pickle_text("j") + raw("J\xff\xff\xff\xff") +
      pickle_text("k") + "\x8a\x02\xff\xff" + pickle_text("big") + "M\xff\xff" + pickle_text("states") +
      "}K\1Ns" + "u}" + pickle_text("_metadata") + ordered_dict + "sb"));
  const SavedDict dict = read_torch_file(file);
  const auto& p = std::get<StoredTensor>(dict.values.at("p"));
  CHECK(p.offset == 1);
  CHECK(p.sizes == std::vector<int64_t>{2, 2});
  CHECK(p.strides == std::vector<int64_t>{1, 2});
  CHECK(p.storage.size() == 24);
  CHECK(std::get<StoredTensor>(dict.values.at("e")).sizes == std::vector<int64_t>{0, 3});
  CHECK(std::get<StoredTensor>(dict.values.at("wide")).strides == std::vector<int64_t>{0});
  CHECK(std::get<OtherValue>(dict.values.at("l")).kind == "a list");
  CHECK(std::get<OtherValue>(dict.values.at("n")).kind == "None");
  CHECK(std::get<OtherValue>(dict.values.at("states")).kind == "a dict whose keys are not texts");
  CHECK(std::get<int64_t>(dict.values.at("i")) == INT64_MIN);
  CHECK(std::get<int64_t>(dict.values.at("j")) == -1);
  CHECK(std::get<int64_t>(dict.values.at("k")) == -1);
  CHECK(std::get<int64_t>(dict.values.at("big")) == 65535);
  CHECK(dict.values.size() == 10);
}

TEST_CASE("files of other formats are refused with a word about them", "[core][torch_file]") {
  const auto refused = [](std::string_view file) {
    try {
      read_torch_file(file);
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("it was read");
  };
  const std::string legacy("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.", 21);
  CHECK_THAT(
      refused(legacy),
      ContainsSubstring("before version 1.6; convert it in Python: torch.save(torch.load(file), file)"));
  CHECK_THAT(refused(raw("\x10\0\0\0\0\0\0\0{\"w\":1}")), ContainsSubstring("a safetensors file"));
  CHECK_THAT(refused("\x89HDF\r\n"), ContainsSubstring("an HDF5 file"));
  CHECK_THAT(refused(""), ContainsSubstring("not a file of torch.save"));
  CHECK_THAT(refused("w: 1"), ContainsSubstring("not a file of torch.save"));
  const auto zip = [](std::vector<std::pair<std::string, std::string>> contents) {
    std::vector<ZipEntry> entries;
    for (const auto& [name, data] : contents) entries.push_back(make_zip_entry(name, data));
    return write_stored_zip(entries);
  };
  CHECK_THAT(refused(zip({})), ContainsSubstring("there is no data.pkl in it"));
  CHECK_THAT(refused(zip({{"w.npy", "x"}})), ContainsSubstring("there is no data.pkl in it"));
  CHECK_THAT(refused(zip({{"a/data.pkl", whole("}")}, {"a/constants.pkl", ""}})),
             ContainsSubstring("a TorchScript module"));
  CHECK_THAT(refused(zip({{"a/data.pkl", whole("}")}, {"a/byteorder", "big"}})),
             ContainsSubstring("not little-endian"));
  for (const std::string name : {"b/data/0", "../data/0", "a/../data/0", "/etc/passwd", "a"})
    CHECK_THAT(refused(zip({{"a/data.pkl", whole("}")}, {name, ""}})),
               ContainsSubstring("lies outside the folder 'a'"));
}
