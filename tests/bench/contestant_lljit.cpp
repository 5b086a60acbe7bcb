// LLVM's LLJIT over JITLink, in this process, with its default set-up.  Every object is added, then one
// symbol of each is looked up, which is what makes LLJIT link it.
#include "contestant.h"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/Support/TargetSelect.h>

#include <string>
#include <vector>

using namespace llvm;
using namespace llvm::orc;

// Once for a process, and nobody counts it as part of a link.
static const bool initialised = !InitializeNativeTarget() && !InitializeNativeTargetAsmPrinter();

static std::vector<std::string> names;

// One definition that others can see; objects that have none cannot be asked for, nor needed.
static Error findName(MemoryBufferRef buffer, std::string &name) {
    auto object = object::ObjectFile::createObjectFile(buffer);
    if (!object)
        return object.takeError();
    for (const object::SymbolRef &symbol : (*object)->symbols()) {
        auto flags = symbol.getFlags();
        auto text = symbol.getName();
        if (!flags || !text)
            return joinErrors(flags.takeError(), text.takeError());
        constexpr uint32_t unfit = object::SymbolRef::SF_Undefined | object::SymbolRef::SF_Weak |
                                   object::SymbolRef::SF_Hidden | object::SymbolRef::SF_Common |
                                   object::SymbolRef::SF_Absolute;
        if ((*flags & object::SymbolRef::SF_Global) && !(*flags & unfit)) {
            name = text->str();
            break;
        }
    }
    return Error::success();
}

static MemoryBufferRef bufferOf(const bench_object &object) {
    return MemoryBufferRef(StringRef(reinterpret_cast<const char *>(object.data), object.size), object.name);
}

static Error linkAll(const bench_input &input, uint64_t &address) {
    // Never destroyed: the code runs after this function.
    static auto jit = LLJITBuilder().create();
    if (!jit)
        return jit.takeError();
    SymbolLookupSet wanted;
    wanted.add((*jit)->mangleAndIntern(input.entry));
    for (size_t i = 0; i < input.count; i++) {
        auto buffer = MemoryBuffer::getMemBuffer(bufferOf(input.objects[i]), false);
        if (auto error = (*jit)->addObjectFile(std::move(buffer)))
            return error;
        if (!names[i].empty() && names[i] != input.entry)
            wanted.add((*jit)->mangleAndIntern(names[i]));
    }
    auto found = (*jit)->getExecutionSession().lookup(
        {{&(*jit)->getMainJITDylib(), JITDylibLookupFlags::MatchAllSymbols}}, std::move(wanted));
    if (!found)
        return found.takeError();
    address = (*found)[(*jit)->mangleAndIntern(input.entry)].getAddress().getValue();
    return Error::success();
}

const char *bench_prepare(const struct bench_job *job) {
    if (!initialised)
        return "LLVM does not know this machine";
    names.resize(job->input->count);
    for (size_t i = 0; i < job->input->count; i++)
        if (auto error = findName(bufferOf(job->input->objects[i]), names[i]))
            return (new std::string(toString(std::move(error))))->c_str();
    return nullptr;
}

const char *bench_link(const struct bench_job *job, uint64_t *address) {
    auto error = linkAll(*job->input, *address);
    return error ? (new std::string(toString(std::move(error))))->c_str() : nullptr;
}
