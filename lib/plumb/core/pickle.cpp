#include "plumb/core/pickle.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "plumb/core/bytes.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

using Kind = PickleNode::Kind;

// The instructions, under the names that the module pickle of Python's library gives them.
namespace opcode {
enum : unsigned char {
  mark = '(',
  stop = '.',
  binfloat = 'G',
  binint = 'J',
  binint1 = 'K',
  binint2 = 'M',
  none = 'N',
  binpersid = 'Q',
  reduce = 'R',
  binunicode = 'X',
  empty_list = ']',
  append = 'a',
  build = 'b',
  global = 'c',
  appends = 'e',
  binget = 'h',
  long_binget = 'j',
  binput = 'q',
  long_binput = 'r',
  setitem = 's',
  tuple = 't',
  setitems = 'u',
  empty_dict = '}',
  empty_tuple = ')',
  proto = 0x80,
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  newtrue = 0x88,
  newfalse = 0x89,
  long1 = 0x8a,
};
}  // namespace opcode

constexpr size_t kMaxNodes = 1'000'000;

class PickleMachine {
 public:
  PickleMachine(std::string_view bytes, const std::vector<std::string>& globals)
      : bytes_(bytes), globals_(globals) {}

  Pickle run() {
    if (take(1)[0] != static_cast<char>(opcode::proto) || take(1)[0] != 2)
      fail("it is not of protocol 2, which torch.save takes unless told otherwise");
    while (step())
      ;
    if (!marks_.empty() || stack_.size() != 1) fail("it ends with {} values in place of one", stack_.size());
    if (position_ != bytes_.size()) fail("bytes follow its end");
    pickle_.root = stack_.front();
    return std::move(pickle_);
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> reason, Args&&... args) const {
    throw DataError(fmt::format("its pickle, at byte {}: {}", instruction_,
                                fmt::format(reason, std::forward<Args>(args)...)));
  }

  std::string_view take(size_t length) {
    if (length > bytes_.size() - position_) fail("it is cut off");
    const std::string_view taken = bytes_.substr(position_, length);
    position_ += length;
    return taken;
  }
  template <class T>
  T number() {
    return little_endian<T>(take(sizeof(T)));
  }
  std::string_view line() {
    const size_t end = bytes_.find('\n', position_);
    if (end == std::string_view::npos) fail("it is cut off");
    const std::string_view found = take(end - position_);
    ++position_;
    return found;
  }

  void push(PickleNode node) {
    if (pickle_.nodes.size() == kMaxNodes) fail("it has more than {} values", kMaxNodes);
    pickle_.nodes.push_back(std::move(node));
    stack_.push_back(static_cast<uint32_t>(pickle_.nodes.size() - 1));
  }
  void push_integer(int64_t value, Kind kind = Kind::integer) { push({.kind = kind, .integer = value}); }

  /// What stands above the last mark.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  uint32_t top() const {
    if (stack_.size() <= floor()) fail("its stack is empty");
    return stack_.back();
  }
  uint32_t pop() {
    const uint32_t index = top();
    stack_.pop_back();
    return index;
  }
  std::vector<uint32_t> pop_last(size_t count) {
    if (stack_.size() - floor() < count) fail("its stack is empty");
    std::vector<uint32_t> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  std::vector<uint32_t> pop_to_mark() {
    if (marks_.empty()) fail("there is no mark");
    std::vector<uint32_t> items = pop_last(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  void append_items(const std::vector<uint32_t>& items) {
    PickleNode& list = pickle_.nodes[top()];
    if (list.kind != Kind::list) fail("what is appended to is not a list");
    list.items.insert(list.items.end(), items.begin(), items.end());
  }
  void set_items(const std::vector<uint32_t>& items) {
    PickleNode& dict = pickle_.nodes[top()];
    if (dict.kind != Kind::dict && dict.kind != Kind::call) fail("what items are set in is not a dict");
    if (items.size() % 2 != 0) fail("a key has no value");
    dict.items.insert(dict.items.end(), items.begin(), items.end());
  }
  void call() {
    const uint32_t arguments = pop(), function = pop();
    if (pickle_[function].kind != Kind::global || pickle_[arguments].kind != Kind::tuple)
      fail("what is called is not a named function with a tuple of arguments");
    push({.kind = Kind::call, .items = {function, arguments}});
  }
  void push_global() {
    const size_t begin = position_;
    const std::string_view module = line(), name = line();
    const std::string_view whole = bytes_.substr(begin, module.size() + 1 + name.size());
    // Known names have a space where the pickle has the end of a line.
    const auto is = [&](const std::string& known) {
      return known.size() == whole.size() && known.starts_with(module) && known.ends_with(name) &&
             known[module.size()] == ' ';
    };
    const auto known = std::ranges::find_if(globals_, is);
    if (known == globals_.end())
      fail(
          "it names {}.{}, which is none of what plumb reads: dicts (such as a state_dict) of dense tensors, "
          "numbers and texts",
          module.substr(0, 100), name.substr(0, 100));
    push({.kind = Kind::global, .text = *known});
  }
  void push_long(size_t length) {
    if (length > 8) fail("a whole number is beyond 64 bits");
    const std::string_view digits = take(length);
    uint64_t value = 0;
    for (size_t i = 0; i < length; ++i) value |= uint64_t{static_cast<unsigned char>(digits[i])} << (8 * i);
    // The highest bit given is the sign.
    if (length > 0 && length < 8 && (value >> (8 * length - 1)) != 0) value |= ~uint64_t{0} << (8 * length);
    push_integer(static_cast<int64_t>(value));
  }
  void remember(size_t place) {
    if (place != memo_.size()) fail("place {} of its memo is not the next one", place);
    memo_.push_back(top());
  }
  void recall(size_t place) {
    if (place >= memo_.size()) fail("place {} of its memo is empty", place);
    stack_.push_back(memo_[place]);
  }

  /// False at the end.
  bool step() {
    instruction_ = position_;
    switch (const auto instruction = static_cast<unsigned char>(take(1)[0])) {
      case opcode::stop:
        return false;
      case opcode::mark:
        marks_.push_back(stack_.size());
        break;
      case opcode::none:
        push({});
        break;
      case opcode::newtrue:
        push_integer(1, Kind::boolean);
        break;
      case opcode::newfalse:
        push_integer(0, Kind::boolean);
        break;
      case opcode::binint1:
        push_integer(number<uint8_t>());
        break;
      case opcode::binint2:
        push_integer(number<uint16_t>());
        break;
      case opcode::binint:
        push_integer(static_cast<int32_t>(number<uint32_t>()));
        break;
      case opcode::long1:
        push_long(number<uint8_t>());
        break;
      case opcode::binfloat: {
        uint64_t bits = 0;  // big-endian, the only such number
        for (const char byte : take(8)) bits = bits << 8 | static_cast<unsigned char>(byte);
        push({.kind = Kind::number, .number = std::bit_cast<double>(bits)});
        break;
      }
      case opcode::binunicode: {
        const auto length = number<uint32_t>();
        push({.kind = Kind::text, .text = take(length)});
        break;
      }
      case opcode::global:
        push_global();
        break;
      case opcode::empty_list:
        push({.kind = Kind::list});
        break;
      case opcode::empty_dict:
        push({.kind = Kind::dict});
        break;
      case opcode::empty_tuple:
        push({.kind = Kind::tuple});
        break;
      case opcode::tuple1:
        push({.kind = Kind::tuple, .items = pop_last(1)});
        break;
      case opcode::tuple2:
        push({.kind = Kind::tuple, .items = pop_last(2)});
        break;
      case opcode::tuple3:
        push({.kind = Kind::tuple, .items = pop_last(3)});
        break;
      case opcode::tuple:
        push({.kind = Kind::tuple, .items = pop_to_mark()});
        break;
      case opcode::append:
        append_items(pop_last(1));
        break;
      case opcode::appends:
        append_items(pop_to_mark());
        break;
      case opcode::setitem:
        set_items(pop_last(2));
        break;
      case opcode::setitems:
        set_items(pop_to_mark());
        break;
      case opcode::reduce:
        call();
        break;
      case opcode::binpersid:
        push({.kind = Kind::persistent, .items = {pop()}});
        break;
      case opcode::build:
        if (pickle_[pop()].kind != Kind::dict || pickle_[top()].kind != Kind::call)
          fail("attributes are set that are not a dict, or of no object");
        break;
      case opcode::binput:
        remember(number<uint8_t>());
        break;
      case opcode::long_binput:
        remember(number<uint32_t>());
        break;
      case opcode::binget:
        recall(number<uint8_t>());
        break;
      case opcode::long_binget:
        recall(number<uint32_t>());
        break;
      default:
        fail("instruction 0x{:02x} is none that torch.save uses", instruction);
    }
    return true;
  }

  std::string_view bytes_;
  const std::vector<std::string>& globals_;
  size_t position_ = 0, instruction_ = 0;
  Pickle pickle_;
  std::vector<uint32_t> stack_, memo_;
  std::vector<size_t> marks_;
};

}  // namespace

Pickle read_pickle(std::string_view bytes, const std::vector<std::string>& globals) {
  return PickleMachine(bytes, globals).run();
}

}  // namespace plumb
